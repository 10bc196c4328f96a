import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { kafkaBrokers } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** The whole path through the gateway, on either event log. */
for (const events of ['PostgreSQL', 'Kafka'] as const) {
  const skip = events === 'Kafka' && !kafkaBrokers() && 'there is no Kafka'

  describe(`the path of an order, events on ${events}`, { skip }, () => {
    let stack: TestStack
    before(async () => {
      stack = await startTestStack({ events })
    })
    after(() => stack.stop())

    test('a customer registers, orders, and reads the notifications, which also went out as e-mail', async () => {
      const customer = await stack.signUp()
      const [first = '', second = ''] = await stack.addProducts(5, 10)
      const placed = await stack.createOrder(customer.token, [
        { productId: first, quantity: 2 },
        { productId: second, quantity: 1 },
      ])
      assert.deepEqual(placed.errors, [])
      const { order } = placed.data.createOrder
      assert.equal(order.status, 'PENDING')
      assert.deepEqual(order.total, { amount: 2 * 1_000 + 1_001, currency: 'EUR' })
      assert.match(order.number, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/)

      const query = `{
        me {
          name
          orders { edges { node { id number customer { email } items { quantity product { id name available } } history { from to } } } }
          notifications { edges { node { type title body order { id number } deliveries { channel status attempts } } } }
        }
      }`
      const { me } = await waitFor('both notifications, sent', async () => {
        const { data, errors } = await stack.graphql(query, {}, customer.token)
        assert.deepEqual(errors, [])
        const edges: { node: { deliveries: { status: string }[] } }[] = data.me.notifications.edges
        return edges.length === 2 && edges.every(({ node }) => node.deliveries[0]?.status === 'SENT') && data
      })
      assert.deepEqual(me.orders.edges, [
        {
          node: {
            id: order.id,
            number: order.number,
            customer: { email: customer.email },
            items: [
              { quantity: 2, product: { id: first, name: 'Thing 0', available: 3 } },
              { quantity: 1, product: { id: second, name: 'Thing 1', available: 9 } },
            ],
            history: [{ from: null, to: 'PENDING' }],
          },
        },
      ])
      // Events of two services have no order between them.
      const nodes: { type: string; body: string }[] = me.notifications.edges.map(({ node }: { node: unknown }) => node)
      const [about, welcome] = nodes.sort((a, b) => a.type.localeCompare(b.type))
      const deliveries = [{ channel: 'EMAIL', status: 'SENT', attempts: 1 }]
      assert.match(welcome?.body ?? '', /^Hello Eve Example,\n\nYour account is ready/)
      assert.deepEqual(welcome, {
        type: 'WELCOME',
        title: 'Welcome',
        body: welcome?.body,
        order: null,
        deliveries,
      })
      const { body, ...rest } = about ?? { body: '' }
      assert.deepEqual(rest, {
        type: 'ORDER_PLACED',
        title: `Order ${order.number} placed`,
        order: { id: order.id, number: order.number },
        deliveries,
      })
      assert.match(body, /2 × Thing 0: €20\.00\n {2}1 × Thing 1: €10\.01\n\nTotal: €30\.01/)

      const [{ id }] = await stack.sql(
        'notifications',
        'SELECT d.id FROM deliveries d JOIN notifications n ON n.id = d.notification_id WHERE n.order_id = $1',
        [order.id],
      )
      const mail = await readFile(join(stack.mailFolder, `${id}.eml`), 'utf8')
      assert.match(mail, new RegExp(`^Message-ID: <${id}@localhost>$`, 'm'))
      assert.match(mail, new RegExp(`^To: Eve Example <${customer.email}>$`, 'm'))
      assert.match(mail, new RegExp(`^Subject: Order ${order.number} placed$`, 'm'))
    })

    test('an order whose hold ends is cancelled and its items are for sale again', async () => {
      const customer = await stack.signUp()
      const [product = ''] = await stack.addProducts(3)
      const { data } = await stack.createOrder(customer.token, [{ productId: product, quantity: 3 }])
      const { id } = data.createOrder.order
      await stack.sql(
        'products',
        // Younger than any outage that products may take a busy machine for.
        `UPDATE reservations SET expires_at = now() - interval '1 second', created_at = now() + interval '1 hour'
         WHERE order_id = $1`,
        [id],
      )
      const order = await waitFor('the cancellation', async () => {
        const result = await stack.graphql(
          'query ($id: ID!) { order(id: $id) { status cancelReason history { from to reason } items { product { available } } } }',
          { id },
          customer.token,
        )
        return result.data.order.status === 'CANCELLED' && result.data.order
      })
      assert.deepEqual(order, {
        status: 'CANCELLED',
        cancelReason: 'EXPIRED',
        history: [
          { from: null, to: 'PENDING', reason: null },
          { from: 'PENDING', to: 'CANCELLED', reason: 'EXPIRED' },
        ],
        items: [{ product: { available: 3 } }],
      })
    })

    test('a trace goes from the client through every service to the event', async () => {
      const customer = await stack.signUp()
      const [product = ''] = await stack.addProducts(3)
      const trace = 'c0ffee00c0ffee00c0ffee00c0ffee00'
      const input = {
        items: [{ productId: product, quantity: 1 }],
        shippingAddress: { name: 'E', line1: 'S', city: 'B', postalCode: '1', country: 'DE' },
        idempotencyKey: 'traced',
      }
      await stack.post(
        stack.url,
        JSON.stringify({
          query: 'mutation ($input: CreateOrderInput!) { createOrder(input: $input) { order { id } } }',
          variables: { input },
        }),
        {
          authorization: `Bearer ${customer.token}`,
          traceparent: `00-${trace}-00f067aa0ba902b7-01`,
          tracestate: 'foo=1, bar=2',
        },
      )
      const [row] = await stack.sql('orders', 'SELECT tracestate FROM outbox WHERE traceparent LIKE $1', [
        `00-${trace}-%`,
      ])
      assert.equal(row?.tracestate, 'foo=1,bar=2')
    })
  })
}
