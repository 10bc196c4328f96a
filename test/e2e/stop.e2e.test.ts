import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { request } from 'undici'
import type { ProcessName } from '../../tools/stack.ts'
import { lockWaits } from '../infra/locks.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

let stack: TestStack
let token: string
let product = ''
before(async () => {
  stack = await startTestStack()
  token = (await stack.signUp()).token
  const [added = ''] = await stack.addProducts(100)
  product = added
})
after(() => stack.stop())

/** Places an order that waits until it is told to go on, and returns when it does. */
async function orderThatWaits() {
  const locker = new pg.Client({ connectionString: stack.databases.orders })
  await locker.connect()
  await locker.query('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE')
  const shippingAddress = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }
  const input = { items: [{ productId: product, quantity: 1 }], shippingAddress, idempotencyKey: randomUUID() }
  const query = 'mutation ($input: CreateOrderInput!) { createOrder(input: $input) { order { id } } }'
  const answer = request(stack.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input } }),
  })
  await waitFor('the order to wait', async () => (await stack.sql('orders', lockWaits)).length > 0)
  return {
    async finish() {
      await locker.query('COMMIT')
      await locker.end()
      const { headers, body } = await answer
      // biome-ignore lint/suspicious/noExplicitAny: the answer to the query above.
      return { headers, body: (await body.json()) as any }
    },
  }
}

/** Whether nobody listens any more. */
async function refuses(name: ProcessName): Promise<boolean> {
  const outcome = await request(`${stack.urlOf(name)}/health/live`).catch(({ code }: { code: string }) => code)
  if (typeof outcome === 'string') return outcome === 'ECONNREFUSED'
  await outcome.body.dump()
  return false
}

async function restart(name: ProcessName): Promise<void> {
  const back = stack.processes[name].nextReady()
  stack.processes[name].start()
  await back
}

test('a mutation under way when its service is stopped is carried out and answered, and its event sent', async () => {
  const order = await orderThatWaits()
  const stopped = stack.processes.orders.stop()
  await waitFor('orders to refuse', () => refuses('orders'))
  const { body } = await order.finish()
  assert.equal(body.errors, undefined)
  const { id } = body.data.createOrder.order
  await stopped
  // There is no other instance that could have sent it.
  const [event] = await stack.sql('orders', 'SELECT sent_at FROM outbox WHERE key = $1', [id])
  assert.ok(event.sent_at)
  await restart('orders')
})

test('a client whose request is under way when the gateway is stopped is answered, and told to end the connection', async () => {
  const order = await orderThatWaits()
  const stopped = stack.processes.gateway.stop()
  await waitFor('the gateway to refuse', () => refuses('gateway'))
  const { headers, body } = await order.finish()
  assert.equal(headers.connection, 'close')
  assert.ok(body.data.createOrder.order.id)
  await stopped
  await restart('gateway')
})

test('every process ends by itself with 0', async () => {
  for (const [name, process] of Object.entries(stack.processes)) {
    const back = process.nextReady()
    process.kill('SIGTERM')
    await back
    const ended = stack.output.filter((line) => line.startsWith(`${name} ended: `))
    assert.deepEqual(ended, [`${name} ended: exit code 0`])
  }
  const troubles = stack.output.filter((line) => /stopping failed|did not stop|not flushed|left undone/.test(line))
  assert.deepEqual(troubles, [])
})

test('a second signal ends a process at once, whatever it waits for', async () => {
  const order = await orderThatWaits()
  const { orders } = stack.processes
  const back = orders.nextReady()
  orders.kill('SIGTERM')
  await waitFor('orders to refuse', () => refuses('orders'))
  orders.kill('SIGTERM')
  await waitFor('its end', () => stack.output.includes('orders ended: exit code 143'))
  const { body } = await order.finish()
  assert.equal(body.errors[0].extensions.code, 'SUBGRAPH_UNAVAILABLE')
  await back
})
