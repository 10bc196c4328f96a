import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { sign, signatureHeader } from '../../subgraphs/payments/sandbox/signature.ts'
import { type Account, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { codesOf } from './refused.ts'

/** Payments through the gateway: asked for there, and called back there by the sandbox. */

let stack: TestStack
let customer: Account
let product: string
before(async () => {
  stack = await startTestStack()
  customer = await stack.signUp()
  ;[product = ''] = await stack.addProducts(100)
})
after(() => stack.stop())

const shown =
  'payment { id status declineReason amount { amount currency } refunded { amount } nextAction { type url } order { id number } }'

const pay = (
  orderId: string,
  paymentMethod = 'pm_card_visa',
  { token } = customer,
  idempotencyKey: string = randomUUID(),
) => stack.mutate('payOrder', shown, { orderId, paymentMethod, idempotencyKey }, token)
const order = () => stack.placeOrder(customer.token, product)

async function paymentsOf(orderId: string, token = customer.token) {
  const query = `query ($id: ID!) { order(id: $id) { payments { ${shown.slice('payment { '.length, -2)} } } }`
  return stack.graphql(query, { id: orderId }, token)
}

async function until(orderId: string, status: string) {
  return waitFor(`the last payment is ${status}`, async () => {
    const { data } = await paymentsOf(orderId)
    const last = data.order?.payments?.at(-1)
    return last?.status === status && last
  })
}

const told = async (orderId: string) =>
  (await stack.sql('payments', 'SELECT type FROM outbox WHERE key = $1 ORDER BY id', [orderId])).map(({ type }) => type)

async function callback(body: string, header?: string): Promise<{ status: number; text: string }> {
  const signature = header ?? sign(stack.secrets.sandbox, body, Math.floor(Date.now() / 1000))
  const answer = await request(`${stack.urlOf('gateway')}/webhooks/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [signatureHeader]: signature, 'x-principal': 'forged' },
    body,
  })
  return { status: answer.statusCode, text: await answer.body.text() }
}

/** A callback as the sandbox would send it. */
async function captureOf(paymentId: string): Promise<string> {
  const [charge] = await stack.sql('payments', 'SELECT * FROM sandbox.charges WHERE id = $1', [paymentId])
  return JSON.stringify({ id: `evt_${randomUUID()}`, about: 'charge', charge: { ...charge, status: 'captured' } })
}

describe('a payment', () => {
  test('is captured by the callback that the sandbox sends through the gateway, and stands at its order', async () => {
    const orderId = await order()
    const { payload, errors } = await pay(orderId)
    assert.deepEqual(errors, [])
    assert.deepEqual(payload.payment.amount, { amount: 1_000, currency: 'EUR' })
    assert.equal(payload.payment.order.id, orderId)
    assert.equal((await until(orderId, 'CAPTURED')).id, payload.payment.id)
    assert.deepEqual(await told(orderId), ['payment.captured'])
    const [event] = await stack.sql('payments', 'SELECT data FROM outbox WHERE key = $1', [orderId])
    const [placed] = await stack.sql('orders', 'SELECT number FROM orders WHERE id = $1', [orderId])
    assert.equal(event.data.orderNumber, placed.number)
  })

  test('that is declined is data and no error, and the order can be paid anew', async () => {
    const orderId = await order()
    const { payload, errors } = await pay(orderId, 'pm_card_visa_chargeDeclined')
    assert.deepEqual(errors, [])
    assert.deepEqual([payload.payment.status, payload.payment.declineReason], ['DECLINED', 'card_declined'])
    await pay(orderId)
    await until(orderId, 'CAPTURED')
    assert.deepEqual(await told(orderId), ['payment.declined', 'payment.captured'])
  })

  test('with 3-D Secure waits for its payer, whom it tells where to go', async () => {
    const orderId = await order()
    const { payload } = await pay(orderId, 'pm_card_authenticationRequired')
    const { status, nextAction } = payload.payment
    assert.deepEqual([status, nextAction.type], ['PENDING', 'REDIRECT'])
    const page = await request(nextAction.url)
    assert.match(await page.body.text(), /Confirm/)
    await (await request(`${nextAction.url}/confirm`, { method: 'POST' })).body.dump()
    assert.equal((await until(orderId, 'CAPTURED')).nextAction, null)
  })

  test("of another's order, and what they see of it: the same words as of an order that never was", async () => {
    const orderId = await order()
    await pay(orderId)
    const stranger = await stack.signUp()
    const [theirs, nobodys] = [
      await pay(orderId, 'pm_card_visa', stranger),
      await pay(randomUUID(), 'pm_card_visa', stranger),
    ]
    assert.deepEqual(theirs.errors, nobodys.errors)
    assert.deepEqual(codesOf(theirs), ['NOT_FOUND'])
    assert.deepEqual(codesOf(await paymentsOf(orderId, stranger.token)), ['NOT_FOUND'])
    assert.deepEqual(
      codesOf(await stack.mutate('payOrder', shown, { orderId, paymentMethod: 'p', idempotencyKey: 'k' })),
      ['UNAUTHENTICATED'],
    )
  })

  test('whose service dies between the charge and its callback is captured all the same', async () => {
    const orderId = await order()
    const { payload } = await pay(orderId, 'pm_sandbox_delay_5')
    assert.equal(payload.payment.status, 'PENDING')
    stack.processes.payments.kill('SIGKILL')
    await until(orderId, 'CAPTURED')
    assert.deepEqual(await told(orderId), ['payment.captured'])
  })
})

describe('a refund', () => {
  test('is for managers, in parts and in full', async () => {
    const orderId = await order()
    const { payload } = await pay(orderId)
    await until(orderId, 'CAPTURED')
    const input = (amount?: number) => ({
      paymentId: payload.payment.id,
      amount,
      reason: 'r',
      idempotencyKey: randomUUID(),
    })
    const refused = await stack.mutate('refundPayment', shown, input(), customer.token)
    assert.deepEqual(codesOf(refused), ['FORBIDDEN'])
    const manager = await stack.employ('MANAGER')
    const part = await stack.mutate('refundPayment', shown, input(400), manager.token)
    assert.deepEqual(part.errors, [])
    assert.deepEqual([part.payload.payment.status, part.payload.payment.refunded.amount], ['PARTIALLY_REFUNDED', 400])
    assert.deepEqual(codesOf(await stack.mutate('refundPayment', shown, input(601), manager.token)), ['BAD_USER_INPUT'])
    const rest = await stack.mutate('refundPayment', shown, input(), manager.token)
    assert.equal(rest.payload.payment.status, 'REFUNDED')
  })
})

describe('POST /webhooks/payments at the gateway', () => {
  test('a callback that is forged, altered or old is answered with 401 and has no effect', async () => {
    const orderId = await order()
    const { payload } = await pay(orderId, 'pm_card_authenticationRequired')
    const body = await captureOf(payload.payment.id)
    const altered = sign(stack.secrets.sandbox, `${body} `, Math.floor(Date.now() / 1000))
    const old = sign(stack.secrets.sandbox, body, Math.floor(Date.now() / 1000) - 301)
    for (const header of [
      '',
      'nonsense',
      altered,
      old,
      sign('another secret of 16', body, Math.floor(Date.now() / 1000)),
    ]) {
      const { status, text } = await callback(body, header)
      assert.equal(status, 401)
      assert.equal(JSON.parse(text).errors[0].extensions.code, 'UNAUTHENTICATED')
    }
    assert.equal((await paymentsOf(orderId)).data.order.payments[0].status, 'PENDING')
    assert.deepEqual(await told(orderId), [])
  })

  test('a callback that comes a hundred times is one capture and one event', async () => {
    const orderId = await order()
    const { payload } = await pay(orderId, 'pm_card_authenticationRequired')
    const body = await captureOf(payload.payment.id)
    const answers = await Promise.all(Array.from({ length: 100 }, () => callback(body)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [204])
    await until(orderId, 'CAPTURED')
    assert.deepEqual(await told(orderId), ['payment.captured'])
  })

  test('a callback that is larger than 1 MiB is refused', async () => {
    assert.equal((await callback('x'.repeat(1024 * 1024 + 1))).status, 413)
  })
})
