import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'

/** Seconds up to which durations are counted together. https://opentelemetry.io/docs/specs/semconv/http/http-metrics */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** Milliseconds that a scrape waits for what is measured in its course. */
const patience = 1_000

/** One reading of gauges that are measured together. */
export type Sample<Name extends string, Label extends string = never> = {
  labels: Partial<Record<Label, string>>
  values: Record<Name, number>
}

/** What a registry holds, as data that another process can put together with its own. */
export type Series = MetricObjectWithValues<MetricValue<string>>[]

/**
 * The metrics of a process, in a registry of its own, with what Node tells of it: event loop, memory, garbage collection,
 * CPU. Every sample carries the service's name, and where the service runs in several processes which of them it is. Labels come from closed sets: each new value is kept for ever.
 */
export function createMetrics({ service, worker }: { service: string; worker?: number | 'primary' | undefined }) {
  const registry = new Registry()
  registry.setDefaultLabels({ service, ...(worker !== undefined && { worker: String(worker) }) })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const measurements: (() => Promise<void>)[] = []
  const measureAll = () => Promise.all(measurements.map((measure) => measure()))
  return {
    counter: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Counter<Label>({ name, help, labelNames, registers }),
    gauge: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Gauge<Label>({ name, help, labelNames, registers }),
    /** Of seconds. */
    histogram: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Histogram<Label>({ name, help, labelNames, buckets, registers }),
    /**
     * Gauges that are read together at each scrape, by name and help. What cannot be read within a second is left out of it:
     * a scrape tells what is so now, or nothing, and never waits for a database or a broker that is away.
     */
    measured<Name extends string, Label extends string = never>(
      helps: Record<Name, string>,
      labelNames: readonly Label[],
      read: () => Promise<readonly Sample<Name, Label>[]>,
    ): void {
      const names = Object.keys(helps) as Name[]
      const gauges = names.map((name) => [name, new Gauge({ name, help: helps[name], labelNames, registers })] as const)
      let reading: Promise<readonly Sample<Name, Label>[]> | undefined
      measurements.push(async () => {
        reading ??= read().finally(() => {
          reading = undefined
        })
        const samples = await inTime(reading).catch(() => [])
        for (const [name, gauge] of gauges) {
          if (labelNames.length > 0) gauge.reset()
          else gauge.remove()
          for (const { labels, values } of samples) gauge.set(labels, values[name])
        }
      })
    },
    async series(): Promise<Series> {
      await measureAll()
      return registry.getMetricsAsJSON()
    },
    /** All of them, for Prometheus to read. */
    async text(): Promise<string> {
      await measureAll()
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}

export type Metrics = ReturnType<typeof createMetrics>

/**
 * What several processes of a service measured, for Prometheus to read. Each series names its worker, so that none is added to another: a
 * worker that starts again sets its own back, and no other.
 */
export function textOf(all: readonly Series[]): Promise<string> {
  return AggregatorRegistry.aggregate([...all]).metrics()
}

async function inTime<T>(reading: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('not in time')), patience)
  try {
    return await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}
