import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as pace } from 'node:timers/promises'
import type { GraphQLResult, TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** Clients that want a connection of products. */
export const readers = 24
const buyers = 4
/** Clients that ask other services alone. */
export const others = 4
/** Milliseconds between attempts of a mutation that is sent again. */
const again = 300

const readQuery = 'query ($id: ID!) { me { name } product(id: $id) { id name available } }'
const otherQuery = '{ me { name orders { edges { node { status total { amount } } } } } }'

export type Answer = { at: number; time: number; whole: boolean }

/**
 * Clients that read products, buy one, and ask other services, with a pause of milliseconds after each answer. Each answer is
 * judged.
 */
export function startLoad(
  stack: TestStack,
  token: string,
  shop: { read: string[]; available: number; sold: string; pause: number },
) {
  const { pause } = shop
  const reads: Answer[] = []
  const rest: Answer[] = []
  let stopped = false
  let orders = 0

  const client = async (answers: Answer[], ask: () => Promise<boolean>) => {
    // Not all of them at once.
    await pace(Math.random() * pause)
    while (!stopped) {
      const at = performance.now()
      const whole = await ask()
      answers.push({ at, time: performance.now() - at, whole })
      await pace(pause)
    }
  }
  const readOne = async () => {
    const id = shop.read[Math.floor(Math.random() * shop.read.length)] ?? ''
    const { data, errors } = await stack.graphql(readQuery, { id }, token)
    assert.equal(data.me.name, 'Eve Example')
    if (errors.length === 0) {
      assert.equal(data.product.id, id)
      assert.equal(data.product.available, shop.available)
      return true
    }
    assert.equal(data.product, null)
    // What the catalogue says may be remembered; what is available is always asked of the database.
    assert.equal(errors.length, 1)
    assert.match(errors[0]?.path?.join('.') ?? '', /^product(\.available)?$/)
    assert.deepEqual(errors[0]?.extensions, { code: 'OVERLOADED', subgraph: 'products', retryAfter: 1 })
    return false
  }
  const askOthers = async () => {
    const { data, errors } = await stack.graphql(otherQuery, {}, token)
    assert.deepEqual(errors, [])
    assert.equal(data.me.name, 'Eve Example')
    return true
  }
  const buy = async () => {
    const key = randomUUID()
    await untilDone(() => stack.createOrder(token, [{ productId: shop.sold, quantity: 1 }], key))
    orders += 1
    return true
  }
  const clients = Promise.all([
    ...Array.from({ length: readers }, () => client(reads, readOne)),
    ...Array.from({ length: others }, () => client(rest, askOthers)),
    ...Array.from({ length: buyers }, () => client([], buy)),
  ]).finally(() => {
    stopped = true
  })
  clients.catch(() => {})

  return {
    reads,
    rest,
    /** Waits while there is load: an answer that is not as it should be ends it. */
    until: (what: string, condition: () => boolean | Promise<boolean>, limit?: number) =>
      Promise.race([waitFor(what, condition, limit), clients.then(() => assert.fail('the load ended'))]),
    /** The answers since the last time. */
    take: () => ({ reads: reads.splice(0), rest: rest.splice(0) }),
    /** Ends the load. Returns how many orders were placed. */
    async stop(): Promise<number> {
      stopped = true
      await clients
      return orders
    },
  }
}

export type Load = ReturnType<typeof startLoad>

/** Sends a mutation again, under its key, while the answer says that it may succeed then. */
export async function untilDone(send: () => Promise<GraphQLResult>): Promise<void> {
  for (;;) {
    const { errors } = await send()
    if (errors.length === 0) return
    for (const { extensions } of errors) assert.ok(Number(extensions.retryAfter) > 0, JSON.stringify(extensions))
    await pace(again)
  }
}
