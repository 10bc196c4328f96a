import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { placeOfClient } from '../../gateway/trace.ts'
import { type Collector, startCollector } from '../../test/infra/collector.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { currentContext, isSampled, readTrace, runWithContext } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Log, silentLog } from '../log.ts'
import { type ExportConfig, startExport } from '../telemetry/export.ts'
import { enter, inSpan, resume } from '../telemetry/span.ts'

const trace = 'c0ffee00c0ffee00c0ffee00c0ffee00'
const place = (sampled: boolean) => ({ traceId: trace, spanId: '00f067aa0ba902b7', sampled })
const traceparent = `00-${trace}-00f067aa0ba902b7-01`

let collector: Collector
let stop = async () => {}
const said: string[] = []
const log: Log = {
  ...silentLog,
  warn: (message) => void said.push(message),
  info: (message) => void said.push(message),
}

async function record(config: Partial<ExportConfig> = {}): Promise<void> {
  stop = await startExport('test', { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...config }, log)
}
/** Begins this many pieces of work and counts those that are recorded. */
const recorded = (count: number, parent?: ReturnType<typeof place>) =>
  Array.from({ length: count }, () => enter(parent, 'work')).filter(({ span, trace }) => {
    span?.end()
    assert.equal(span !== undefined, isSampled(trace))
    return span
  }).length

beforeEach(async () => {
  collector = await startCollector()
  said.length = 0
})
afterEach(async () => {
  await stop()
  collector.stop()
})

describe('whether a trace is recorded', () => {
  const half = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: 0.25 } as const

  test('is for the first process to decide, by a share of all', async () => {
    await record(half)
    const share = recorded(4_000) / 4_000
    assert.ok(share > 0.2 && share < 0.3, String(share))
  })

  test('is decided once: a caller who decided is followed, whatever the setting', async () => {
    await record({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' })
    assert.deepEqual([recorded(10), recorded(10, place(true)), recorded(10, place(false))], [0, 10, 0])
    await stop()
    await record({ OTEL_TRACES_SAMPLER: 'parentbased_always_on' })
    assert.deepEqual([recorded(10), recorded(10, place(true)), recorded(10, place(false))], [10, 10, 0])
  })

  test('is not for a client to force, by its flag or by the id that it chooses', async () => {
    await record(half)
    const sampled = (believed: 'continue' | 'trust' | 'restart') =>
      Array.from({ length: 2_000 }, () => placeOfClient({ traceparent }, believed).parent?.sampled).filter(Boolean)
        .length
    assert.ok(sampled('continue') > 400 && sampled('continue') < 600)
    assert.equal(sampled('trust'), 2_000)
    assert.deepEqual(placeOfClient({ traceparent }, 'restart'), { parent: undefined, links: [place(true)] })
  })
})

test('without a collector nothing of an SDK is loaded, and a trace is passed on as it came', () => {
  const script = (config: object) => `
    import { createRequire } from 'node:module'
    import { silentLog } from './platform/log.ts'
    import { startExport } from './platform/telemetry/export.ts'
    import { enter, inSpan } from './platform/telemetry/span.ts'
    await startExport('test', ${JSON.stringify(config)}, silentLog)
    const sdk = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('@opentelemetry/sdk-trace/'))
    const { trace, span } = enter(${JSON.stringify(place(true))}, 'work')
    console.log(JSON.stringify({ loaded: sdk.length > 0, recorded: span !== undefined, traceparent: trace.traceparent }))
    process.exit(0)`
  const run = (config: object) => {
    const args = ['--input-type=module-typescript', '--eval', script(config)]
    return JSON.parse(
      execFileSync(process.execPath, args, { cwd: new URL('../..', import.meta.url), encoding: 'utf8' }),
    )
  }
  const { traceparent, ...off } = run({})
  assert.deepEqual(off, { loaded: false, recorded: false })
  assert.match(traceparent, new RegExp(`^00-${trace}-(?!00f067aa0ba902b7).{16}-01$`))
  const on = run({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  assert.deepEqual([on.loaded, on.recorded], [true, true])
})

test('work is done in the context of its span, and a failure is told by its code alone', async () => {
  await record()
  const secret = 'eve@example.com'
  await resume({ traceparent }, 'outer', {}, async () => {
    const outer = readTrace(currentContext() ?? {})
    await inSpan('inner', {}, async () => {
      assert.notEqual(readTrace(currentContext() ?? {})?.spanId, outer?.spanId)
      throw new ServiceError('NOT_FOUND', secret)
    }).catch(() => {})
    await inSpan('broken', {}, async () => {
      throw new TypeError(secret)
    }).catch(() => {})
  })
  await stop()
  const [inner, broken, outer] = ['inner', 'broken', 'outer'].map((name) =>
    collector.spans.find((one) => one.name === name),
  )
  assert.equal(inner?.parentSpanId, outer?.spanId)
  assert.deepEqual(outer?.links, [{ traceId: trace, spanId: '00f067aa0ba902b7' }])
  assert.deepEqual([inner?.attributes['error.type'], inner?.status.code], ['NOT_FOUND', 'UNSET'])
  assert.deepEqual([broken?.attributes['error.type'], broken?.status.code], ['TypeError', 'ERROR'])
  assert.ok(!JSON.stringify(collector.spans).includes(secret))
})

test('a collector that refuses costs spans and nothing else, and is told of once', async () => {
  await record()
  const work = () => runWithContext({ traceparent }, () => inSpan('work', {}, async () => 'done'))
  collector.answer(400)
  assert.equal(await work(), 'done')
  await waitFor('the refusal', () => said.length === 1)
  assert.equal(await work(), 'done')
  await waitFor('another refusal', () => collector.headers.length >= 2)
  collector.answer(200)
  assert.equal(await work(), 'done')
  await waitFor('the span', () => collector.spans.length === 1 && said.length > 1)
  assert.deepEqual(said, ['traces are not taken', 'traces are taken again'])
})

test('a collector that never answers is waited for by no one: spans over the bound are dropped, and a stop ends', async () => {
  let asked = 0
  const silent = createServer(() => void asked++)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  await record({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
  recorded(50_000)
  const started = performance.now()
  await stop()
  const time = performance.now() - started
  silent.closeAllConnections()
  silent.close()
  // 4,096 that waited, in batches of 512, and one that was on its way.
  assert.ok(asked > 0 && asked <= 9, `${asked} batches`)
  // The flush is given up after 3 s, where one request to the collector alone may take 10.
  assert.ok(time < 9_000, `stopped after ${time} ms`)
})
