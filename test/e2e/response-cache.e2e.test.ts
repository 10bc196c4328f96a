import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kafkaBrokers } from '../infra/parts.ts'
import { startTestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

const query = 'query ($id: ID!) { product(id: $id) { id name version price { amount currency } } }'
const orders = '{ me { orders { edges { node { items { product { id price { amount } } } } } } } }'

for (const events of ['PostgreSQL', 'Kafka'] as const) {
  const skip = events === 'Kafka' && !kafkaBrokers() && 'there is no Kafka'
  describe(`the cache of two gateways, events by ${events}`, { skip }, () => {
    test('a change of the catalogue is seen through both within a second, orders never see what is cached, and stock is as it is', async () => {
      const stack = await startTestStack({
        events,
        twins: ['gateway'],
        extra: { gateway: { env: { RESPONSE_CACHE: 'on' } } },
      })
      try {
        const gateways = stack.instancesOf('gateway').map((url) => `${url}/graphql`)
        const [id = ''] = await stack.addProducts(10)
        const [manager, customer] = [await stack.employ('MANAGER'), await stack.signUp()]
        const ask = (gateway: string, text = query, token?: string) =>
          stack.post(
            gateway,
            JSON.stringify({ query: text, variables: { id } }),
            token ? { authorization: `Bearer ${token}` } : {},
          )
        const priceAt = async (gateway: string) => (await ask(gateway)).data.product.price.amount
        const isCached = async (gateway: string, text?: string, token?: string) =>
          (await ask(gateway, text, token)).extensions?.cached !== undefined
        await stack.placeOrder(customer.token, id)
        for (const gateway of gateways) {
          await waitFor('it to answer from the cache', () => isCached(gateway), 60_000)
          await waitFor('the order to be shown from it', () => isCached(gateway, orders, customer.token), 60_000)
        }

        const times: number[] = []
        for (const [version, amount] of [1_500, 1_700, 1_900].entries()) {
          const input = { productId: id, version: version + 1, price: { amount, currency: 'EUR' } }
          const { errors } = await stack.mutate('updateProduct', 'product { id }', input, manager.token)
          assert.deepEqual(errors, [])
          const changed = performance.now()
          const [own = '', other = ''] = gateways
          assert.equal(await priceAt(own), amount, 'whoever changed it sees it at once')
          await waitFor('the other one to show the change', async () => (await priceAt(other)) === amount)
          times.push(performance.now() - changed)
          const placed = await stack.createOrder(customer.token, [{ productId: id, quantity: 1 }])
          assert.equal(placed.data.createOrder.order.total.amount, amount)
          const shown = await ask(other, orders, customer.token)
          const [first] = shown.data.me.orders.edges
          assert.equal(first.node.items[0].product.price.amount, amount)
          for (const gateway of gateways) await waitFor('it to be cached again', () => isCached(gateway))
        }

        // The least: the machine may have stood still in another.
        assert.ok(Math.min(...times) < 1_000, `${times.map(Math.round)} ms`)

        const stock = '{ me { orders { edges { node { items { product { id available } } } } } } }'
        for (let n = 0; n < 2; n++) assert.equal(await isCached(gateways[0] ?? '', stock, customer.token), false)
      } finally {
        await stack.stop()
      }
    })
  })
}
