import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { processNames } from '../../tools/stack.ts'
import { type CollectedSpan, type Collector, startCollector } from '../infra/collector.ts'
import { kafkaBrokers } from '../infra/parts.ts'
import { type Account, customerPassword, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** One trace through the whole shop, as a collector gets it. */
for (const events of ['PostgreSQL', 'Kafka'] as const) {
  const skip = events === 'Kafka' && !kafkaBrokers() && 'there is no Kafka'

  describe(`traces, events on ${events}`, { skip }, () => {
    let collector: Collector
    let stack: TestStack
    let eve: Account
    const order = 'c0ffee00c0ffee00c0ffee00c0ffee00'
    const client = '00f067aa0ba902b7'

    before(async () => {
      collector = await startCollector()
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=a%20b' }
      const extra = Object.fromEntries(processNames.map((name) => [name, { env }]))
      stack = await startTestStack({ events, extra })
      eve = await stack.signUp()
      const [product = ''] = await stack.addProducts(5)
      const placed = await stack.post(stack.url, JSON.stringify(createOrder(product)), {
        authorization: `Bearer ${eve.token}`,
        traceparent: `00-${order}-${client}-00`,
        tracestate: 'foo=1',
      })
      assert.deepEqual(placed.errors, [])
    })
    after(async () => {
      await stack.stop()
      collector.stop()
    })

    const one = (...wanted: (Partial<CollectedSpan> | ((span: CollectedSpan) => boolean))[]) =>
      waitFor(JSON.stringify(wanted[0]), async () => {
        const fits = (span: CollectedSpan) =>
          wanted.every((want) =>
            typeof want === 'function'
              ? want(span)
              : Object.entries(want).every(([key, value]) => span[key as keyof CollectedSpan] === value),
          )
        return collector.traceOf(order).find(fits)
      })

    test('an order is one trace: gateway, orders, SQL, products by gRPC, the event log, notifications and the e-mail', async () => {
      const request = await one({ service: 'gateway', kind: 'SERVER', name: 'POST /graphql', parentSpanId: client })
      const operation = await one({ service: 'gateway', name: 'mutation', parentSpanId: request.spanId })
      const fetch = await one({ service: 'gateway', kind: 'CLIENT', name: 'POST', parentSpanId: operation.spanId })
      const subgraph = await one({
        service: 'orders',
        kind: 'SERVER',
        name: 'POST /graphql',
        parentSpanId: fetch.spanId,
      })
      const reserve = 'products.v1.ProductService/ReserveStock'
      const call = await one({ service: 'orders', kind: 'CLIENT', name: reserve, parentSpanId: subgraph.spanId })
      const rpc = await one({ service: 'products', kind: 'SERVER', name: reserve, parentSpanId: call.spanId })
      const held = await one({ service: 'products', kind: 'CLIENT', parentSpanId: rpc.spanId }, ({ attributes }) =>
        String(attributes['db.query.text']).includes('INSERT INTO reservations '),
      )
      const placed = await one({ service: 'orders', parentSpanId: subgraph.spanId }, ({ attributes }) =>
        String(attributes['db.query.text']).includes('INSERT INTO orders '),
      )
      const send = await one({
        service: 'orders',
        kind: 'PRODUCER',
        name: 'send orders',
        parentSpanId: subgraph.spanId,
      })
      const handle = await one({ service: 'notifications', kind: 'CONSUMER', name: 'process orders' })
      const recorded = await one({ service: 'notifications', parentSpanId: handle.spanId }, ({ attributes }) =>
        String(attributes['db.query.text']).includes('INSERT INTO notifications'),
      )
      const mail = await one({ service: 'notifications', kind: 'CLIENT', name: 'deliver EMAIL' })

      assert.equal(handle.parentSpanId, send.spanId)
      assert.deepEqual(handle.links, [{ traceId: order, spanId: send.spanId }])
      assert.equal(mail.parentSpanId, handle.spanId)
      assert.deepEqual(mail.links, [{ traceId: order, spanId: handle.spanId }])
      for (const { traceState } of [request, subgraph, rpc, handle]) assert.equal(traceState, 'foo=1')
      assert.equal(send.attributes['messaging.system'], events === 'Kafka' ? 'kafka' : 'postgresql')
      assert.equal(send.attributes['messaging.message.id'], handle.attributes['messaging.message.id'])
      assert.equal(fetch.attributes['service.peer.name'], 'orders')
      assert.equal(request.attributes['http.response.status_code'], '200')
      assert.equal(operation.attributes['graphql.operation.name'], 'PlaceIt')
      for (const { kind, attributes } of [held, placed, recorded]) {
        assert.equal(kind, 'CLIENT')
        assert.equal(attributes['db.system.name'], 'postgresql')
      }
    })

    test('every span ends within its trace: its parent is there, or is the client', async () => {
      await one({ service: 'notifications', name: 'deliver EMAIL' })
      const services = (found: CollectedSpan[]) => [...new Set(found.map(({ service }) => service))].sort()
      const all = ['gateway', 'notifications', 'orders', 'products', 'users']
      // Each sends its spans in its own time.
      const spans = await waitFor('all parents', async () => {
        const found = collector.traceOf(order)
        const known = new Set([client, ...found.map(({ spanId }) => spanId)])
        const isWhole = found.every(({ parentSpanId }) => known.has(parentSpanId ?? ''))
        return isWhole && services(found).length >= all.length && found
      })
      assert.deepEqual(services(spans), all)
      for (const { startTimeUnixNano, endTimeUnixNano } of spans)
        assert.ok(BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano))
    })

    test('an error names its trace, and the trace tells why: a code, and nothing of what was sent', async () => {
      const wrong = { email: eve.email, password: 'a wrong password' }
      const { body } = await request(stack.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query: 'mutation ($input: LoginInput!) { login(input: $input) { expiresIn } }',
          variables: { input: wrong },
        }),
      })
      const { errors } = (await body.json()) as { errors: { extensions: { code: string; traceId: string } }[] }
      const [{ code, traceId } = { code: '', traceId: '' }] = errors.map(({ extensions }) => extensions)
      assert.equal(code, 'INVALID_CREDENTIALS')
      const refused = await waitFor('the span', async () =>
        collector.traceOf(traceId).find(({ name }) => name === 'mutation'),
      )
      assert.equal(refused.attributes['error.type'], 'INVALID_CREDENTIALS')
      assert.equal(refused.status.code, 'UNSET')
    })

    test('no span holds an address, a name, a phone number, a password, a token or a code', async () => {
      const phone = '+49301234567'
      await stack.mutate('updateProfile', 'user { id }', { phone, name: 'Eve Example' }, eve.token)
      const signedIn = { email: eve.email, password: customerPassword }
      const { errors } = await stack.mutate('login', 'accessToken refreshToken user { id }', signedIn)
      assert.deepEqual(errors, [])
      const [product = ''] = await stack.addProducts(5)
      const id = await stack.placeOrder(eve.token, product)
      await stack.payOrder(eve.token, id)
      const paid = (span: CollectedSpan) => span.attributes['cloudevents.event_type'] === 'order.paid'
      await waitFor('the payment in a trace', async () => {
        const handled = collector.spans.find((span) => span.service === 'notifications' && paid(span))
        return collector.traceOf(handled?.traceId ?? '').find(({ name }) => name === 'deliver EMAIL')
      })
      await waitFor('every service', async () => new Set(collector.spans.map(({ service }) => service)).size === 6)
      const secrets = [
        eve.email,
        eve.token,
        eve.refreshToken,
        'Eve',
        phone,
        '30123',
        customerPassword,
        'Street 1',
        'Berlin',
      ]
      // Without ids, times and names of test databases, whose digits are now and then those of a phone number.
      const chance = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$|_[\da-f]{12}$/
      const text = JSON.stringify(collector.spans, (name, value) => {
        if (/(Id|UnixNano)$/.test(name)) return undefined
        return typeof value === 'string' ? value.replace(chance, '') : value
      })
      for (const secret of secrets) assert.ok(!text.includes(secret), `a span holds ${secret}`)
      assert.doesNotMatch(text, /[\w.-]+@[\w-]+\.\w+|eyJ[\w-]{10}|Bearer/)
      assert.ok(collector.spans.every(({ events }) => events.length === 0))
    })

    test('the collector gets the headers that a setting names', () => {
      assert.ok(collector.headers.length > 0)
      for (const headers of collector.headers) assert.equal(headers['x-api-key'], 'a b')
    })
  })
}

const createOrder = (productId: string) => ({
  query:
    'mutation PlaceIt($input: CreateOrderInput!) { createOrder(input: $input) { order { id customer { name email } } } }',
  variables: {
    input: {
      items: [{ productId, quantity: 1 }],
      shippingAddress: { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' },
      idempotencyKey: 'traced',
    },
  },
})
