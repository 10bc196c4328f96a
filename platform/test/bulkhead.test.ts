import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BulkheadLimits, createBulkhead } from '../bulkhead.ts'

const overloaded = { code: 'OVERLOADED', details: { subgraph: 'things', retryAfter: 1 } }

function start(limits: BulkheadLimits) {
  let current = limits
  const bulkhead = createBulkhead({ name: 'things', limits: () => current })
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<void>>()
  return {
    bulkhead,
    begun,
    call(id: string, { deadline = Date.now() + 60_000, signal }: { deadline?: number; signal?: AbortSignal } = {}) {
      const end = Promise.withResolvers<void>()
      ends.set(id, end)
      const call = async () => {
        begun.push(id)
        await end.promise
        return id
      }
      return bulkhead.run(call, { deadline, signal })
    },
    end: (id: string) => ends.get(id)?.resolve(),
    fail: (id: string) => ends.get(id)?.reject(new Error(id)),
    set: (limits: BulkheadLimits) => {
      current = limits
    },
  }
}

test('so many calls are under way at once, and the others follow in the order they came', async () => {
  const { bulkhead, begun, call, end } = start({ concurrency: 2, queue: 10 })
  const calls = ['a', 'b', 'c', 'd'].map((id) => call(id))
  assert.deepEqual(begun, ['a', 'b'])
  assert.equal(bulkhead.waiting, 2)
  end('b')
  assert.equal(await calls[1], 'b')
  assert.deepEqual(begun, ['a', 'b', 'c'])
  for (const id of ['a', 'c', 'd']) end(id)
  assert.deepEqual(await Promise.all(calls), ['a', 'b', 'c', 'd'])
  assert.deepEqual([bulkhead.underWay, bulkhead.waiting], [0, 0])
})

test('when too many wait, the next is refused at once', async () => {
  const { begun, call, end } = start({ concurrency: 1, queue: 1 })
  const [first, second] = [call('a'), call('b')]
  await assert.rejects(call('c'), overloaded)
  end('a')
  end('b')
  await Promise.all([first, second])
  assert.deepEqual(begun, ['a', 'b'])
})

test('nobody waits longer than the deadline', async () => {
  const { bulkhead, begun, call, end } = start({ concurrency: 1, queue: 10 })
  const first = call('a')
  await assert.rejects(call('b', { deadline: Date.now() + 20 }), overloaded)
  assert.equal(bulkhead.waiting, 0)
  end('a')
  await first
  assert.deepEqual(begun, ['a'])
})

test('whoever goes away does not wait any more', async () => {
  const { bulkhead, begun, call, end } = start({ concurrency: 1, queue: 10 })
  const gone = new AbortController()
  const first = call('a')
  const second = call('b', { signal: gone.signal })
  gone.abort()
  await assert.rejects(second, { name: 'AbortError' })
  assert.equal(bulkhead.waiting, 0)
  end('a')
  await first
  assert.deepEqual(begun, ['a'])
})

test('a call that fails makes room like any other', async () => {
  const { bulkhead, call, end, fail } = start({ concurrency: 1, queue: 10 })
  const [first, second] = [call('a'), call('b')]
  fail('a')
  await assert.rejects(first, { message: 'a' })
  end('b')
  await second
  assert.equal(bulkhead.underWay, 0)
})

test('limits may change at any time', async () => {
  const { bulkhead, begun, call, end, set } = start({ concurrency: 1, queue: 10 })
  const calls = ['a', 'b', 'c'].map((id) => call(id))
  set({ concurrency: 2, queue: 10 })
  end('a')
  await calls[0]
  assert.deepEqual(begun, ['a', 'b', 'c'])
  for (const id of ['b', 'c']) end(id)
  await Promise.all(calls)
  assert.equal(bulkhead.underWay, 0)
})
