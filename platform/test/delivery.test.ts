import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { z } from 'zod'
import { type LogRecord, toRecord } from '../bus/cloudevents.ts'
import { createDelivery } from '../bus/delivery.ts'
import { on, PoisonError } from '../bus/handlers.ts'
import { createBusMeters } from '../bus/meters.ts'
import { currentContext, type RequestContext } from '../context.ts'
import { type ErrorCode, ServiceError } from '../errors.ts'
import { silentLog as log } from '../log.ts'
import { createMetrics } from '../metrics.ts'

const position = { topic: 'things', partition: 3, offset: '41' }
const record = toRecord({
  id: randomUUID(),
  type: 'thing.happened',
  topic: 'things',
  key: 'k',
  source: 'test',
  time: new Date(),
  sequence: 1,
  data: { n: 1 },
})

/** The context in which a record with these headers is handled. Fails when it goes to the dead letters. */
async function contextOf(headers: Record<string, string>): Promise<RequestContext | undefined> {
  let context: RequestContext | undefined
  const handler = on({ type: 'thing.happened', topic: 'things', data: z.unknown() }, async () => {
    context = currentContext()
  })
  const deadLetter = () => assert.fail('a dead letter')
  const deliver = createDelivery({ group: 'g', handlers: [handler], deadLetter, log })
  assert.equal(await deliver({ ...record, headers: { ...record.headers, ...headers } }, position), 0)
  return context
}

/** What becomes of a record whose handler throws. */
async function outcomeOf(error: unknown, dead: LogRecord[] = []) {
  const handler = on({ type: 'thing.happened', topic: 'things', data: z.object({ n: z.number() }) }, async () => {
    throw error
  })
  const deadLetter = async (record: LogRecord) => void dead.push(record)
  const pause = await createDelivery({ group: 'g', handlers: [handler], deadLetter, log })(record, position)
  return pause > 0 ? 'repeated' : dead.length > 0 ? 'dead letter' : 'done'
}

test('what a repeat may mend is repeated', async () => {
  const transient = [
    Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('away'), { code: 'P1001' }),
    Object.assign(new Error('deadlock'), { code: '40P01' }),
    new Error('timeout exceeded when trying to connect'),
    new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }),
    new Error('of an unknown kind'),
    ...(
      ['OVERLOADED', 'IN_PROGRESS', 'SUBGRAPH_UNAVAILABLE', 'SUBGRAPH_TIMEOUT', 'INTERNAL_SERVER_ERROR'] as ErrorCode[]
    ).map((code) => new ServiceError(code, 'later')),
  ]
  for (const error of transient) assert.equal(await outcomeOf(error), 'repeated', String(error))
})

test('what no repeat mends is poison', async () => {
  const poison = [
    new PoisonError('means nothing'),
    new TypeError('a bug'),
    new RangeError('a bug'),
    Object.assign(new Error('a bug'), { name: 'PrismaClientValidationError' }),
    Object.assign(new Error('check violated'), { code: '23514' }),
    ...(['NOT_FOUND', 'ILLEGAL_TRANSITION', 'BAD_USER_INPUT'] as ErrorCode[]).map(
      (code) => new ServiceError(code, 'never'),
    ),
  ]
  for (const error of poison) assert.equal(await outcomeOf(error), 'dead letter', String(error))
})

test('a failure of an unknown kind is repeated for a while, then it counts as a bug', async () => {
  for (const error of [new Error('?'), new ServiceError('INTERNAL_SERVER_ERROR', '?'), undefined]) {
    const dead: LogRecord[] = []
    const fail = on({ type: 'thing.happened', topic: 'things', data: z.unknown() }, () => Promise.reject(error))
    const deadLetter = async (record: LogRecord) => void dead.push(record)
    const deliver = createDelivery({ group: 'g', handlers: [fail], deadLetter, log })
    for (let attempt = 1; attempt < 12; attempt++) assert.ok((await deliver(record, position)) > 0)
    assert.equal(await deliver(record, position), 0)
    assert.equal(dead[0]?.headers['dlq-attempts'], '12')
  }
})

test('a reason of any length makes a dead letter that can be kept', async () => {
  const dead: LogRecord[] = []
  await outcomeOf(new PoisonError('x'.repeat(5_000_000)), dead)
  assert.equal(dead[0]?.headers['dlq-error']?.length, 1_000)
})

test('a reason of any characters makes a dead letter that can be kept', async () => {
  const dead: LogRecord[] = []
  for (const words of ['\0'.repeat(10), '😀'.repeat(1_000), ` ${'😀'.repeat(1_000)}`]) {
    await outcomeOf(new PoisonError(words), dead)
  }
  const reasons = dead.map(({ headers }) => headers['dlq-error'])
  assert.equal(reasons[0], 'PoisonError: ')
  for (const reason of reasons) assert.ok(reason?.isWellFormed())
})

test('a dead letter is the record as it came, with the reason and the origin', async () => {
  const dead: LogRecord[] = []
  await outcomeOf(new ServiceError('ILLEGAL_TRANSITION', 'no way'), dead)
  const { 'dlq-first-failed-at': first, 'dlq-last-failed-at': last, ...headers } = dead[0]?.headers ?? {}
  assert.ok(Date.parse(first ?? '') > 0 && Date.parse(last ?? '') >= Date.parse(first ?? ''))
  assert.deepEqual(
    { ...dead[0], headers },
    {
      ...record,
      headers: {
        ...record.headers,
        'dlq-error': 'ILLEGAL_TRANSITION: no way',
        'dlq-group': 'g',
        'dlq-topic': 'things',
        'dlq-partition': '3',
        'dlq-offset': '41',
        'dlq-attempts': '1',
      },
    },
  )
})

test('a dead letter tells when the event failed first and last, and how often', async (context) => {
  const start = Date.parse('2026-01-01T00:00:00Z')
  context.mock.timers.enable({ apis: ['Date'], now: start })
  const dead: LogRecord[] = []
  const errors = [new Error('later'), new Error('later'), new PoisonError('never')]
  const handler = on({ type: 'thing.happened', topic: 'things', data: z.unknown() }, async () => {
    throw errors.shift()
  })
  const deadLetter = async (record: LogRecord) => void dead.push(record)
  const deliver = createDelivery({ group: 'g', handlers: [handler], deadLetter, log })
  await deliver({ ...record, headers: { ...record.headers, 'dlq-attempts': '7' } }, position)
  context.mock.timers.setTime(start + 1_000)
  await deliver(record, position)
  context.mock.timers.setTime(start + 3_000)
  await deliver(record, position)
  const { 'dlq-first-failed-at': first, 'dlq-last-failed-at': last, 'dlq-attempts': attempts } = dead[0]?.headers ?? {}
  assert.deepEqual([first, last, attempts], ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:03.000Z', '3'])
})

test('failures count for the record that failed, and not for one behind it that another member left', async () => {
  const handler = on({ type: 'thing.happened', topic: 'things', data: z.unknown() }, async () => {
    throw new Error('later')
  })
  const deliver = createDelivery({ group: 'g', handlers: [handler], deadLetter: async () => {}, log })
  for (let attempt = 0; attempt < 5; attempt++) await deliver(record, position)
  assert.ok((await deliver(record, { ...position, offset: '57' })) <= 100)
})

test('poison that cannot be put away is not passed over', async () => {
  const deadLetter = () => Promise.reject(new Error('the log is away'))
  const deliver = createDelivery({ group: 'g', handlers: [], deadLetter, log })
  assert.ok((await deliver({ ...record, headers: {} }, position)) > 0)
})

test('records that are no events are poison, other types are passed over', async () => {
  const dead: LogRecord[] = []
  const deadLetter = async (record: LogRecord) => void dead.push(record)
  const deliver = createDelivery({ group: 'g', handlers: [], deadLetter, log })
  assert.equal(await deliver(record, position), 0)
  assert.equal(dead.length, 0)
  await deliver({ ...record, headers: { ...record.headers, ce_id: 'x' } }, position)
  await deliver({ ...record, value: Buffer.from('{') }, position)
  assert.deepEqual(
    dead.map(({ headers }) => headers['dlq-error']),
    ['PoisonError: Not an event, attributes missing or malformed: ce_id', 'PoisonError: The body is not JSON.'],
  )
})

test('an event is handled in the trace of the change it tells of, under a span of its own', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const context = await contextOf({ traceparent, tracestate: ' foo=1, bar=2' })
  assert.equal(context?.traceparent.slice(0, 36), traceparent.slice(0, 36))
  assert.notEqual(context?.traceparent, traceparent)
  assert.equal(context?.tracestate, 'foo=1,bar=2')
})

test('an event whose trace is invalid is no poison, and begins a trace of its own', async () => {
  const traceparents = [undefined, '', 'nonsense', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, 7]
  for (const traceparent of traceparents) {
    const context = await contextOf({ traceparent, tracestate: 'foo=1' } as Record<string, string>)
    assert.match(context?.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    assert.equal(context?.tracestate, undefined)
  }
})

test('pauses grow with each failure and begin anew after a success', async () => {
  let failing = true
  const handler = on({ type: 'thing.happened', topic: 'things', data: z.unknown() }, async () => {
    if (failing) throw new Error('later')
  })
  const deliver = createDelivery({ group: 'g', handlers: [handler], deadLetter: async () => {}, log })
  const pauses = [await deliver(record, position), await deliver(record, position), await deliver(record, position)]
  for (const [attempt, pause] of pauses.entries()) {
    assert.ok(pause >= 50 * 2 ** attempt && pause <= 100 * 2 ** attempt, `${pause}`)
  }
  failing = false
  assert.equal(await deliver(record, position), 0)
  failing = true
  assert.ok((await deliver(record, position)) <= 100)
})

test('events handled, repeated and given up are counted by group and topic', async () => {
  const metrics = createMetrics({ service: 'test' })
  const errors = [undefined, new Error('later'), new Error('later'), new PoisonError('never')]
  const handler = on({ type: 'thing.happened', topic: 'things', data: z.unknown() }, async () => {
    const error = errors.shift()
    if (error) throw error
  })
  const meters = createBusMeters(metrics)
  const deliver = createDelivery({ group: 'g', handlers: [handler], deadLetter: async () => {}, log, meters })
  const counted = async () => (await metrics.text()).match(/^(event|dead_letters)\w*_(total|count)\{.*$/gm)
  const atFirst = (await counted())?.map((line) => line.split(' ').at(-1))
  assert.deepEqual(atFirst, ['0', '0', '0'], 'a counter that appears with 1 did not rise')
  for (let n = 0; n < 4; n++) await deliver(record, position)
  await deliver({ ...record, headers: { ...record.headers, ce_type: 'thing.unheard_of' } }, position)
  assert.deepEqual(await counted(), [
    'events_handled_total{group="g",topic="things",service="test"} 1',
    'event_retries_total{group="g",topic="things",service="test"} 2',
    'dead_letters_total{group="g",topic="things",service="test"} 1',
    'event_handling_duration_seconds_count{service="test",group="g",topic="things"} 1',
  ])
})
