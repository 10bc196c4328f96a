import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { breakerState } from '../infra/breakers.ts'
import { type Account, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** The products service killed, and back. */

const history = '{ me { name orders { edges { node { number items { name product { name } } } } } } }'
/** The same with a field that nobody asked for before. */
const unseen = history.replace('product { name }', 'product { name description }')

let stack: TestStack
let customer: Account
before(async () => {
  stack = await startTestStack()
  customer = await stack.signUp()
})
after(() => stack.stop())

test('with products killed the order history is answered as it last was, createOrder is refused typed, and both are back seconds after products', async (context) => {
  const [product = ''] = await stack.addProducts(10)
  await stack.placeOrder(customer.token, product)
  const read = () => stack.graphql(history, {}, customer.token)
  const buy = (key?: string) => stack.createOrder(customer.token, [{ productId: product, quantity: 1 }], key)
  const itemOf = ({ data }: Awaited<ReturnType<typeof read>>) => data.me.orders.edges[0].node.items[0]
  const { extensions, ...whole } = await read()
  assert.deepEqual(itemOf(whole), { name: 'Thing 0', product: { name: 'Thing 0' } })
  assert.equal(extensions, undefined)

  stack.processes.products.kill('SIGKILL')
  await stack.processes.products.stop()
  const key = randomUUID()
  await waitFor('the breakers of the gateway and of orders to open', async () => {
    const [{ data }, { errors }] = await Promise.all([read(), buy(key)])
    assert.equal(data.me.orders.edges[0].node.items[0].name, 'Thing 0')
    assert.equal(errors[0]?.extensions.code, 'SUBGRAPH_UNAVAILABLE')
    const states = [await breakerState(stack, 'gateway', 'products'), await breakerState(stack, 'orders', 'products')]
    return states.every((state) => state === 'open')
  })

  const down = await read()
  assert.deepEqual(itemOf(down), { name: 'Thing 0', product: { name: 'Thing 0' } })
  assert.deepEqual(down.errors, [])
  const { stale, ...others } = down.extensions ?? {}
  assert.deepEqual(
    (stale as { ageSeconds: number }[]).map(({ ageSeconds, ...rest }) => ({ ...rest, aged: ageSeconds >= 0 })),
    [{ path: ['me', 'orders', 'edges', 0, 'node', 'items', 0, 'product'], subgraph: 'products', aged: true }],
  )
  assert.deepEqual(others, { subgraphs: [{ name: 'products', state: 'open' }] })
  const left = await stack.graphql(unseen, {}, customer.token)
  assert.deepEqual(itemOf(left), { name: 'Thing 0', product: null })
  assert.deepEqual(
    left.errors.map(({ path, extensions }) => ({ path: path?.at(-1), extensions })),
    [{ path: 'description', extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'products', retryAfter: 5 } }],
  )
  const refused = await buy(key)
  assert.deepEqual(refused.errors[0]?.extensions, { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'products', retryAfter: 5 })
  assert.equal((await stack.sql('orders', 'SELECT FROM claims WHERE completed_at IS NULL')).length, 0)

  const ready = stack.processes.products.nextReady()
  stack.processes.products.start()
  await ready
  const back = performance.now()
  const since = () => `${(performance.now() - back).toFixed(0)} ms after products was ready`
  await Promise.all([
    waitFor('products in the history', async () => {
      const answer = await read()
      return itemOf(answer).product !== null && answer.extensions?.stale === undefined
    }).then(() => context.diagnostic(`order history whole again ${since()}`)),
    waitFor('createOrder', async () => (await buy(key)).errors.length === 0).then(() =>
      context.diagnostic(`createOrder works again ${since()}`),
    ),
  ])
  const placed = await stack.sql('orders', 'SELECT FROM orders WHERE customer_id = $1', [customer.id])
  assert.equal(placed.length, 2, 'one order for the key, however often it was tried')
  await waitFor('the breakers to close', async () => {
    await Promise.all([read(), buy()])
    return (
      (await breakerState(stack, 'gateway', 'products')) === 'closed' &&
      (await breakerState(stack, 'orders', 'products')) === 'closed'
    )
  })
  assert.equal((await read()).extensions, undefined)
})
