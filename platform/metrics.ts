import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'

/**
 * The metrics of a process, in a registry of its own, with what Node tells of it: event loop, memory, garbage collection,
 * CPU. Every sample carries the service's name. Labels come from closed sets: each new value is kept for ever.
 */
export function createMetrics({ service }: { service: string }) {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    counter: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Counter<Label>({ name, help, labelNames, registers }),
    gauge: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Gauge<Label>({ name, help, labelNames, registers }),
    /** All of them, for Prometheus to read. */
    text: (): Promise<string> => registry.metrics(),
    contentType: registry.contentType,
  }
}

export type Metrics = ReturnType<typeof createMetrics>
