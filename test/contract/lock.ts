import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Locks } from '#platform/lock.ts'
import { waitFor } from '../infra/wait.ts'

export type LocksUnderTest = {
  name: string
  /** Why they cannot be tested here. */
  skip?: string | false
  /** Two of those who share locks: one and the same where locks belong to the process. Tokens come from one place. */
  open: (options: { nextToken: () => Promise<number>; lease: number; wait: number }) => Promise<{
    one: Locks
    other: Locks
    close: () => Promise<void>
  }>
}

const lease = 2_200
const wait = 5_000

/** What locks promise (platform/lock.ts), as tests. */
export function lockContract({ name, skip = false, open }: LocksUnderTest): void {
  describe(`locks in ${name}`, { skip }, () => {
    let opened: Awaited<ReturnType<typeof open>>
    let tokens = 0
    before(async () => {
      opened = await open({ nextToken: async () => ++tokens, lease, wait })
    })
    after(() => opened.close())

    /** Holds a lock until told to let go of it. */
    async function hold(locks: Locks, key: string) {
      const { promise: end, resolve: release } = Promise.withResolvers<void>()
      const { promise: begin, resolve: began } = Promise.withResolvers<void>()
      const done = locks.run(key, async () => {
        began()
        await end
      })
      await Promise.race([begin, done])
      return { release, done }
    }

    test('a lock is held by one at a time, whoever asks, and each token is greater than the one before', async () => {
      const key = randomUUID()
      const seen: number[] = []
      let holders = 0
      const work = async ({ token }: { token: number }) => {
        assert.equal(++holders, 1)
        await new Promise(setImmediate)
        seen.push(token)
        holders -= 1
      }
      await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? opened.one : opened.other).run(key, work)))
      assert.equal(seen.length, 20)
      assert.deepEqual(
        seen,
        [...seen].sort((a, b) => a - b),
      )
    })

    test('locks of different names do not wait for each other', async () => {
      const held = await hold(opened.one, randomUUID())
      assert.equal(await opened.other.run(randomUUID(), async () => 'done'), 'done')
      held.release()
      await held.done
    })

    test('who waits for too long is refused with IN_PROGRESS, and the holder is left alone', async () => {
      const key = randomUUID()
      const held = await hold(opened.one, key)
      const started = performance.now()
      const refusal = { code: 'IN_PROGRESS', details: { retryAfter: 1 } }
      await Promise.all(
        [opened.one, opened.other].map((locks) =>
          assert.rejects(
            locks.run(key, async () => {}),
            refusal,
          ),
        ),
      )
      const waited = performance.now() - started
      assert.ok(waited > wait - 50 && waited < 20 * wait, `${waited} ms`)
      held.release()
      await held.done
      await opened.other.run(key, async () => {})
    })

    test('a lock is kept for longer than its lease while its holder lives', async () => {
      const key = randomUUID()
      const held = await hold(opened.one, key)
      const started = performance.now()
      let entered = false
      const next = opened.other.run(key, async () => {
        entered = true
      })
      await waitFor('more than a lease', async () => performance.now() - started > 1.5 * lease)
      assert.ok(!entered)
      held.release()
      await Promise.all([held.done, next])
    })

    test('work that rejects lets go of the lock', async () => {
      const key = randomUUID()
      await assert.rejects(
        opened.one.run(key, () => Promise.reject(new Error('no'))),
        /no/,
      )
      assert.equal(await opened.other.run(key, async () => 'done'), 'done')
    })
  })
}
