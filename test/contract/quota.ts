import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { createMetrics } from '#platform/metrics.ts'
import type { Quotas } from '#platform/quota.ts'
import { waitFor } from '../infra/wait.ts'

export type QuotasUnderTest = {
  name: string
  /** Why they cannot be tested here. */
  skip?: string | false
  open: (metrics: ReturnType<typeof createMetrics>) => Promise<{ quotas: Quotas; close: () => Promise<void> }>
}

/** What every store of quotas promises (platform/quota.ts), as tests. */
export function quotaContract({ name, skip = false, open }: QuotasUnderTest): void {
  describe(`quotas in ${name}`, { skip }, () => {
    const metrics = createMetrics({ service: 'test' })
    let opened: Awaited<ReturnType<typeof open>>
    before(async () => {
      opened = await open(metrics)
    })
    after(() => opened.close())
    const quota = (points: number, seconds = 60) =>
      opened.quotas.quota({ name: randomUUID(), points: () => points, seconds })

    test('so many points as a window has are given, and no more', async () => {
      const { charge } = quota(3)
      for (const remaining of [2, 1, 0])
        assert.deepEqual(await charge('k'), { allowed: true, remaining, limit: 3, resetSeconds: 60 })
      assert.deepEqual(await charge('k'), { allowed: false, remaining: 0, limit: 3, resetSeconds: 60 })
    })

    test('a limit that changes holds from the next charge on, and what was taken stays taken', async () => {
      let points = 1
      const { charge, of } = opened.quotas.quota({ name: randomUUID(), points: () => points, seconds: 60 })
      for (const allowed of [true, false]) assert.equal((await charge('k')).allowed, allowed)
      points = 3
      assert.equal(of('k').spent(), undefined)
      assert.deepEqual(await charge('k'), { allowed: true, remaining: 1, limit: 3, resetSeconds: 60 })
      points = 2
      assert.deepEqual(await charge('k'), { allowed: false, remaining: 0, limit: 2, resetSeconds: 60 })
    })

    test('every key has points of its own, and so has every quota', async () => {
      const [one, other] = [quota(1), quota(1)]
      for (const { charge } of [one, other]) for (const key of ['a', 'b']) assert.ok((await charge(key)).allowed)
    })

    test('of 50 charges at once as many are allowed as there are points', async () => {
      const { charge } = quota(10)
      const charges = await Promise.all(Array.from({ length: 50 }, () => charge('k')))
      assert.equal(charges.filter(({ allowed }) => allowed).length, 10)
    })

    test('a charge that is too much takes nothing, and a smaller one still has its place', async () => {
      const { charge } = quota(10)
      await charge('k', 7)
      assert.deepEqual(await charge('k', 4), { allowed: false, remaining: 3, limit: 10, resetSeconds: 60 })
      assert.ok((await charge('k', 3)).allowed)
    })

    test('a charge above the whole quota is refused, also as the first', async () => {
      const { charge } = quota(10)
      const { allowed, remaining } = await charge('k', 11)
      assert.deepEqual([allowed, remaining], [false, 10])
    })

    test('a charge of nothing only looks', async () => {
      const { charge } = quota(1)
      for (const remaining of [1, 1]) assert.equal((await charge('k', 0)).remaining, remaining)
      await charge('k')
      const { resetSeconds, ...left } = await charge('k', 0)
      assert.deepEqual(left, { allowed: true, remaining: 0, limit: 1 })
      assert.ok(resetSeconds > 0 && resetSeconds <= 60)
    })

    test('points that are no whole number are a fault of ours', async () => {
      const { charge } = quota(1)
      for (const points of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
        await assert.rejects(charge('k', points), RangeError)
    })

    test('a window ends in its time, whatever is refused meanwhile', async () => {
      const { charge } = quota(1, 2)
      const started = performance.now()
      await charge('k')
      assert.ok(!(await charge('k')).allowed)
      await waitFor('a new window', async () => (await charge('k')).allowed)
      const waited = performance.now() - started
      assert.ok(waited > 1_900 && waited < 20_000, `${waited} ms`)
    })

    test('what is given back can be taken again, and never makes more than there was', async () => {
      const { charge, giveBack } = quota(2)
      await giveBack('k', 5)
      await charge('k', 2)
      assert.ok(!(await charge('k')).allowed)
      await giveBack('k')
      assert.ok((await charge('k')).allowed)
      await giveBack('k', 5)
      assert.equal((await charge('k', 0)).remaining, 2)
    })

    test('a key that is forgotten begins anew', async () => {
      const { charge, forget } = quota(1)
      await charge('k')
      assert.ok(!(await charge('k')).allowed)
      await forget('k')
      assert.ok((await charge('k')).allowed)
    })

    test('what has nothing left is known without asking', async () => {
      const { charge, of, forget } = quota(1)
      assert.equal(of('k').spent(), undefined)
      await charge('k')
      assert.deepEqual(of('k').spent(), { allowed: false, remaining: 0, limit: 1, resetSeconds: 60 })
      await forget('k')
      assert.equal(of('k').spent(), undefined)
    })

    test('refusals are counted by quota', async () => {
      const { charge } = opened.quotas.quota({ name: 'counted', points: () => 1, seconds: 60 })
      const key = randomUUID()
      for (let n = 0; n < 3; n++) await charge(key)
      assert.match(await metrics.text(), /^rate_limited_total\{quota="counted",service="test"\} 2$/m)
    })
  })
}
