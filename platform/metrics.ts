import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Seconds up to which durations are counted together. https://opentelemetry.io/docs/specs/semconv/http/http-metrics */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

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
    /** Of seconds. */
    histogram: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Histogram<Label>({ name, help, labelNames, buckets, registers }),
    /** All of them, for Prometheus to read. */
    text: (): Promise<string> => registry.metrics(),
    contentType: registry.contentType,
  }
}

export type Metrics = ReturnType<typeof createMetrics>
