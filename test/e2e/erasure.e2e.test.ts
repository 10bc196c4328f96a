import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import { createPeer } from '#platform/grpc/client.ts'
import { loadService } from '#platform/grpc/service.ts'
import { createServiceTokens, type PrivateKey } from '#platform/principal.ts'
import { type ServiceName, serviceNames } from '../../tools/services.ts'
import { mailsIn } from '../infra/mails.ts'
import { customerPassword, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** What of a person is kept, and where. */

let stack: TestStack
before(async () => {
  stack = await startTestStack()
})
after(() => stack.stop())

/** Every row of every table of a service, as text. */
async function wholeDatabase(service: ServiceName): Promise<string> {
  const tables = await stack.sql(service, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
  const texts: string[] = []
  for (const { tablename } of tables) {
    texts.push(...(await stack.sql(service, `SELECT t::text FROM "${tablename}" t`)).map(({ t }) => t))
  }
  return texts.join('\n')
}

test('an account that changes and is erased: users and notifications forget it, and orders keep what they sold without the address', async () => {
  const customer = await stack.signUp()
  const [product = ''] = await stack.addProducts(5)
  const { data } = await stack.createOrder(customer.token, [{ productId: product, quantity: 1 }], randomUUID(), {
    name: 'Eve Example',
    line1: 'Secret Street 1',
  })
  const { id } = data.createOrder.order
  const sentTo = async () => stack.sql('notifications', 'SELECT email FROM contacts WHERE user_id = $1', [customer.id])
  await waitFor('both notifications, sent', async () => {
    const query =
      "SELECT FROM notifications n JOIN deliveries d ON d.notification_id = n.id WHERE user_id = $1 AND status = 'SENT'"
    return (await stack.sql('notifications', query, [customer.id])).length === 2
  })
  const email = `new-${randomUUID()}@example.com`
  const moved = await stack.mutate(
    'updateProfile',
    'user { email }',
    { email, currentPassword: customerPassword },
    customer.token,
  )
  assert.equal(moved.payload.user.email, email)
  await waitFor('the new address', async () => (await sentTo())[0]?.email === email)

  const erased = await stack.mutate('eraseAccount', 'erased', { password: customerPassword }, customer.token)
  assert.deepEqual(erased.payload, { erased: true })
  const ofErasure = "SELECT event_id FROM outbox WHERE type = 'user.erased' AND key = $1"
  const [{ event_id: event }] = await stack.sql('users', ofErasure, [customer.id])
  for (const service of ['notifications', 'orders'] as const) {
    // The mark of it comes before the batches.
    const handled = () => stack.sql(service, 'SELECT FROM inbox WHERE event_id = $1', [event])
    await waitFor(`the end of the erasure in ${service}`, async () => (await handled()).length > 0)
  }
  for (const service of ['users', 'notifications', 'orders'] as const) {
    const kept = await wholeDatabase(service)
    assert.ok(kept.includes(customer.id))
    // A word of its own: as a part of one it may stand in a key or a hash by chance.
    assert.doesNotMatch(kept, /\bEve\b/, service)
    for (const personal of ['Secret Street', customer.email, email])
      assert.ok(!kept.includes(personal), `${service} keeps ${personal}`)
  }
  const order = await waitFor('the end of the order, which can go nowhere any more', async () => {
    const answer = await stack.graphql(
      `query ($id: ID!) { order(id: $id) {
      status total { amount } items { sku quantity } history { to }
      shippingAddress { name line1 line2 city region postalCode country }
    } }`,
      { id },
      customer.token,
    )
    return answer.data.order.status === 'CANCELLED' && answer
  })
  assert.deepEqual(order.errors, [])
  assert.deepEqual(order.data.order.shippingAddress, {
    name: 'erased',
    line1: 'erased',
    line2: null,
    city: 'erased',
    region: null,
    postalCode: 'erased',
    country: 'DE',
  })
  assert.equal(order.data.order.total.amount, 1_000)
  assert.deepEqual(
    [order.data.order.items.length, order.data.order.history],
    [1, [{ to: 'PENDING' }, { to: 'CANCELLED' }]],
  )
})

test('a one-time code that users has mailed is in the mail alone: no table of any service and no log holds it', async () => {
  const peer = createPeer({
    name: 'notifications',
    service: loadService<NotificationServiceDefinition>('notifications.v1.NotificationService'),
    addresses: [`127.0.0.1:${stack.ports.notifications.grpc}`],
    serviceToken: createServiceTokens({ key: stack.secrets.keys.users as PrivateKey }),
  })
  const code = 'K7QX3M9T'
  const email = `${randomUUID()}@example.com`
  const request = { userId: randomUUID(), email, name: 'Eve', locale: 'en', code, lifetime: 900 }
  await peer.rpcs.sendCode({ ...request, purpose: 'VERIFY_EMAIL' })
  await assert.rejects(peer.rpcs.sendCode({ ...request, lifetime: 0 }), { code: 'BAD_USER_INPUT' })
  peer.close()

  assert.equal(mailsIn(stack.mailFolder).filter((mail) => mail.includes(code) && mail.includes(`<${email}>`)).length, 1)
  for (const service of serviceNames) assert.ok(!(await wholeDatabase(service)).includes(code), service)
  assert.ok(!stack.output.some((line) => line.includes(code) || line.includes(email)))
})
