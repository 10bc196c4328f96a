import assert from 'node:assert/strict'
import { breakerState } from '../infra/breakers.ts'
import { busyCodes, type GraphQLResult, startTestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'

const query = '{ me { name orders { edges { node { number items { name product { name } } } } } } }'
/** Clients that ask one query after another. */
const clients = 4
/** Milliseconds from a process being ready to its being asked again, at the most. A breaker left alone takes 60 s. */
const longestRecovery = 40_000
/** Share of answers in which a service that is not on trial may be too busy. */
const mostUnjudged = 0.05

export const breaker: Drill = {
  summary:
    'products killed with -9 again and again under load: its fields are refused at once, the rest is answered, and it is asked again in seconds',
  async run({ short, print }) {
    const stack = await startTestStack()
    try {
      const { token } = await stack.signUp()
      const products = await stack.addProducts(5, 5)
      await stack.placeOrder(token, ...products)

      let stopped = false
      const answers: { at: number; time: number; whole: boolean; open: boolean }[] = []
      let unjudged = 0
      const client = async () => {
        while (!stopped) {
          const at = performance.now()
          const result = await stack.graphql(query, {}, token)
          if (isOfOthers(result)) unjudged += 1
          else answers.push({ at, time: performance.now() - at, ...judge(result) })
        }
      }
      const load = Promise.all(Array.from({ length: clients }, client)).finally(() => {
        stopped = true
      })
      load.catch(() => {})
      /** Waits while there is load: an answer that is not as it should be ends it. */
      const wait = (what: string, condition: () => boolean | Promise<boolean>, limit?: number) =>
        Promise.race([waitFor(what, condition, limit), load])

      await wait('answers before the first kill', () => answers.length > 200)
      const { products: process } = stack.processes
      const again = async (what: string) => {
        await process.nextReady()
        const ready = performance.now()
        await wait('whole answers', () => answers.some(({ at, whole }) => whole && at > ready), longestRecovery)
        print(`${what}: asked again ${(performance.now() - ready).toFixed(0)} ms after it was ready`)
        await wait('the breaker to close', async () => (await breakerState(stack, 'gateway', 'products')) === 'closed')
      }
      for (let round = 1; round <= (short ? 1 : 5); round++) {
        const restarted = again('killed and started again')
        process.kill('SIGKILL')
        await restarted

        process.kill('SIGKILL')
        await process.stop()
        const down = performance.now()
        await wait('the breaker to open', async () => (await breakerState(stack, 'gateway', 'products')) === 'open')
        const back = again(`killed and away until the breaker opened, ${(performance.now() - down).toFixed(0)} ms`)
        process.start()
        await back
      }
      stopped = true
      await load

      const figures = (part: typeof answers) => {
        const times = part.map(({ time }) => time)
        return `${part.length} answers, p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`
      }
      const usual = answers.filter(({ whole }) => whole)
      const open = answers.filter(({ open }) => open)
      print(`whole: ${figures(usual)}`)
      // Whoever is hurt by what products does is so in nearly every answer.
      assert.ok(unjudged <= mostUnjudged * answers.length, `${unjudged} answers were without what others own`)
      print(`breaker not closed: ${figures(open)}`)
      assert.ok(open.length > 0)
      // Other fields are not slowed by what is away. Beside other tests, what starts again slows whatever there is.
      const [whileOpen, usually] = [open, usual].map((part) =>
        percentile(
          part.map(({ time }) => time),
          0.5,
        ),
      )
      assert.ok((whileOpen ?? 0) <= 2 * (usually ?? 0) + (short ? 1_000 : 0))
    } finally {
      await stack.stop()
    }
  },
}

/** Whether a service that is not on trial was too busy, as it is on a machine that stands still. */
function isOfOthers({ errors }: GraphQLResult): boolean {
  return errors.some(
    ({ extensions: { code, subgraph } }) =>
      busyCodes.includes(code) && subgraph !== undefined && subgraph !== 'products',
  )
}

/** What an answer holds. All that products does not own must be there, and what is missing or stale must be said. */
function judge({ data, errors, extensions }: GraphQLResult): { whole: boolean; open: boolean } {
  assert.equal(data.me.name, 'Eve Example')
  const items: { name: string; product: { name: string } | null }[] = data.me.orders.edges[0].node.items
  assert.deepEqual(
    items.map(({ name }) => name),
    ['Thing 0', 'Thing 1'],
  )
  for (const { extensions } of errors) {
    assert.equal(extensions.code, 'SUBGRAPH_UNAVAILABLE')
    assert.equal(extensions.subgraph, 'products')
  }
  const missing = items.filter(({ product }) => product === null).length
  assert.equal(errors.length, missing)
  const whole = missing === 0 && extensions?.stale === undefined
  return { whole, open: !whole && extensions?.subgraphs !== undefined }
}
