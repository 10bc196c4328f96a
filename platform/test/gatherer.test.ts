import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currentContext, runWithContext } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { createGatherer, type GathererOptions } from '../gatherer.ts'

type Item = { id: string; read: number }
type Read = {
  keys: readonly string[]
  deadline: number | undefined
  requestId: string | undefined
  end: (error?: Error) => void
}

/** Reads that end when they are told to. Each finds all keys but those that begin with `no`, with its own number. */
function open(options: Partial<GathererOptions> = {}) {
  const reads: Read[] = []
  async function find(keys: readonly string[]): Promise<Item[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { deadline, requestId } = currentContext() ?? {}
    const read = reads.push({ keys, deadline, requestId, end: (error) => (error ? reject(error) : resolve()) })
    await promise
    return keys.filter((key) => !key.startsWith('no')).map((id) => ({ id, read }))
  }
  const ask = createGatherer({ name: 'test', atOnce: 1, ...options })(find, ({ id }) => id)
  return {
    reads,
    ask,
    end: (read: number, error?: Error) => (reads[read - 1] ?? assert.fail(`There is no read ${read}.`)).end(error),
  }
}

test('nothing waits while fewer than so many reads are under way', () => {
  const { reads, ask } = open({ atOnce: 3 })
  for (const key of ['a', 'b', 'c', 'd']) void ask([key])
  assert.deepEqual(
    reads.map(({ keys }) => keys),
    [['a'], ['b'], ['c']],
  )
})

test('who asks while a read is under way gets what is read after they asked, together with all others who wait', async () => {
  const { reads, ask, end } = open()
  const first = ask(['a'])
  const others = [ask(['a', 'b']), ask(['c', 'none']), ask(['b']), ask([])]
  end(1)
  assert.deepEqual(await first, [{ id: 'a', read: 1 }])
  end(2)
  const [a, b, c] = ['a', 'b', 'c'].map((id) => ({ id, read: 2 }))
  assert.deepEqual(await Promise.all(others), [[a, b], [c], [b], []])
  assert.deepEqual(reads[1]?.keys, ['a', 'b', 'c', 'none'])
  assert.equal(reads.length, 2)
})

test('a read that fails fails for those whose keys it had, and for nobody else', async () => {
  const { ask, end } = open()
  const answers = [ask(['a']), ask(['b']), ask(['c'])]
  end(1)
  await answers[0]
  const [, ...waited] = answers
  const later = ask(['d'])
  end(2, new Error('gone'))
  for (const answer of waited) await assert.rejects(answer, { message: 'gone' })
  end(3)
  assert.deepEqual(await later, [{ id: 'd', read: 3 }])
})

test('one read has so many keys at the most, unless one caller asks for more; the rest comes next, in its order', async () => {
  const { reads, ask, end } = open({ most: 3 })
  const answers = [['a'], ['b', 'c'], ['d'], ['e', 'f', 'g', 'h', 'i'], ['j']].map((keys) => ask(keys))
  for (const last of [0, 2, 3, 4]) {
    end(reads.length)
    await answers[last]
  }
  await Promise.all(answers)
  assert.deepEqual(
    reads.map(({ keys }) => keys.join('')),
    ['a', 'bcd', 'efghi', 'j'],
  )
})

test('a key that is asked for twice is read once, and answered once', async () => {
  const { reads, ask, end } = open()
  const answer = ask(['a', 'a'])
  end(1)
  assert.deepEqual(await answer, [{ id: 'a', read: 1 }])
  assert.deepEqual(reads[0]?.keys, ['a'])
})

test('when so many wait, further ones are refused at once, and those who wait are not', async () => {
  const { ask, end } = open({ queue: 1 })
  const answers = [ask(['a']), ask(['b'])]
  await assert.rejects(ask(['c']), { code: 'OVERLOADED', details: { subgraph: 'test', retryAfter: 1 } })
  end(1)
  await answers[0]
  end(2)
  assert.deepEqual(await answers[1], [{ id: 'b', read: 2 }])
})

const busy = () => new ServiceError('OVERLOADED', 'Too busy now, try again.')
const asking = (ask: (keys: readonly string[]) => Promise<unknown>, requestId: string, deadline: number) =>
  runWithContext({ traceparent: '', requestId, deadline }, () => ask([requestId]))

test('those who waited are read for in the context of the first, which waits on for no longer than it may', async () => {
  const { reads, ask, end } = open({ wait: 2_000 })
  const start = Date.now()
  const answers = [
    asking(ask, 'one', start + 60_000),
    asking(ask, 'two', start + 60_000),
    asking(ask, 'three', start + 1),
  ]
  end(1)
  await answers[0]
  const more = [asking(ask, 'four', start + 500), ask(['five'])]
  end(2)
  await answers[1]
  const last = ask(['six'])
  end(3)
  await Promise.all(more)
  end(4)
  await last
  assert.deepEqual(
    reads.map(({ requestId }) => requestId),
    ['one', 'two', 'four', undefined],
  )
  // A pool leaves 100 ms for its refusal to arrive.
  const [, two, four, none] = reads.map(({ deadline }) => deadline)
  assert.ok(two && two >= start + 2_100 && two <= Date.now() + 2_100, `${two}`)
  assert.deepEqual([four, none], [start + 500, undefined])
})

test('when there was no connection in time for the first, those who have time left wait on, and nobody else', async () => {
  const { reads, ask, end } = open({ wait: 2_000 })
  const start = Date.now()
  const answers = ['one', 'two', 'three'].map((id, index) => asking(ask, id, start + (index === 2 ? 60_000 : 50)))
  end(1)
  await answers[0]
  end(2, busy())
  await assert.rejects(answers[1] ?? assert.fail(), { code: 'OVERLOADED' })
  end(3)
  assert.deepEqual(await answers[2], [{ id: 'three', read: 3 }])
  assert.deepEqual(
    reads.map(({ keys }) => keys.join()),
    ['one', 'two,three', 'three'],
  )
})

test('a read that is refused before its time is refused for all: trying again at once would be refused as well', async () => {
  const { reads, ask, end } = open()
  const answers = [ask(['a']), ask(['b']), ask(['c'])]
  end(1)
  await answers[0]
  end(2, busy())
  for (const answer of answers.slice(1)) await assert.rejects(answer, { code: 'OVERLOADED' })
  assert.equal(reads.length, 2)
})
