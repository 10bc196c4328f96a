import type { Parsed, processSettings } from '../env.ts'
import type { Log } from '../log.ts'
import { recordSpans } from './span.ts'

export type ExportConfig = Pick<
  Parsed<typeof processSettings>,
  'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_EXPORTER_OTLP_HEADERS' | 'OTEL_TRACES_SAMPLER' | 'OTEL_TRACES_SAMPLER_ARG'
>

/** Spans that wait to be sent, at the most. Further ones are dropped. */
const queueLimit = 4_096
/** Spans that are sent at once, and milliseconds after which fewer are. */
const batchSize = 512
const batchDelay = 1_000
/** Milliseconds that sending a batch may take, with its repeats, and that a stop waits for what is left. */
const sendLimit = 10_000
const flushLimit = 3_000
/** Characters of an attribute's value. */
const longestValue = 2_000

/**
 * Sends spans to a collector by OTLP, from now on until it is stopped; without an endpoint it loads nothing. What a trace that
 * begins here is sampled by is chance alone, since whoever calls may choose its id.
 *
 * Guarantee: a collector that is slow, away or refuses costs spans and nothing else.
 */
export async function startExport(
  service: string,
  config: Partial<ExportConfig>,
  log: Log,
): Promise<() => Promise<void>> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = {} } = config
  if (!endpoint) return async () => {}
  const [{ BatchSpanProcessor, TracerProvider, AlwaysOnSampler }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-proto'),
      import('@opentelemetry/resources'),
    ])
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    headers,
    timeoutMillis: sendLimit,
    // All that can wait, sent at once by a stop, and one that is on its way.
    concurrencyLimit: queueLimit / batchSize + 1,
  })
  let failing = false
  const processor = new BatchSpanProcessor({
    exporter: {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          const failed = result.code !== 0
          if (failed && !failing) log.warn('traces are not taken', { reason: result.error?.name ?? 'unknown' })
          if (!failed && failing) log.info('traces are taken again')
          failing = failed
          done(result)
        }),
      shutdown: () => exporter.shutdown(),
    },
    maxQueueSize: queueLimit,
    maxExportBatchSize: batchSize,
    scheduledDelayMillis: batchDelay,
    exportTimeoutMillis: sendLimit,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'commerce' }),
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: longestValue },
    spanProcessors: [processor],
  })
  const ratio = ratioOf(config)
  recordSpans({ tracer: provider.getTracer('commerce'), sample: () => Math.random() < ratio })

  return async function stop(): Promise<void> {
    recordSpans(undefined)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, flushLimit)
    })
    await Promise.race([provider.shutdown().catch(() => {}), late])
    clearTimeout(timer)
  }
}

/** The share of traces that are recorded, of those that begin here. */
function ratioOf({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio = 1 }: Partial<ExportConfig>): number {
  if (sampler === 'parentbased_always_off') return 0
  return sampler === 'parentbased_traceidratio' ? ratio : 1
}
