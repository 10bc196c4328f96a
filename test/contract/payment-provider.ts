import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { openPayment, type Payment } from '../../subgraphs/payments/domain/payment.ts'
import type { Refund } from '../../subgraphs/payments/domain/refund.ts'
import type { CallbackHeaders, Provider } from '../../subgraphs/payments/providers/provider.ts'

export type ProviderUnderTest = {
  provider: Provider
  /** The same provider where nothing answers. */
  away: Provider
  /** What it calls back with. */
  callbacks: {
    captured(payment: Payment): string
    declined(payment: Payment, reason: string): string
    refunded(payment: Payment, refund: Refund): string
    /** About something that is not the shop's. */
    foreign(): string
  }
  /** The headers by which it signs a body, at a time in seconds. Default: with its own secret. */
  sign(body: string, seconds: number, secret?: string): CallbackHeaders
  close(): Promise<unknown>
}

export type ProviderContractOptions = {
  name: string
  open: () => Promise<ProviderUnderTest>
  /** Why the suite is skipped. */
  skip?: string | false | undefined
  /** Whether it remembers what it was asked. Stripe's mock does not: what follows from memory is proven elsewhere. */
  remembers: boolean
}

/** What the service relies on of every provider. */
export function providerContract({ name, open, skip, remembers }: ProviderContractOptions): void {
  describe(`payment provider: ${name}`, { skip: skip ?? false }, () => {
    let under: ProviderUnderTest
    before(async () => {
      under = await open()
    })
    after(() => under.close())

    const read = (body: string, headers: CallbackHeaders) => under.provider.readCallback(Buffer.from(body), headers)
    const readNow = (body: string) => read(body, under.sign(body, seconds()))

    test('it is asked for money, tells how that stands, and what it calls it', async () => {
      const payment = newPayment()
      const fact = await under.provider.pay(payment)
      assert.equal(fact.paymentId, payment.id)
      assert.match(fact.reference, /^\w[\w-]+$/)
      const { paymentId } = await under.provider.lookUp({ ...payment, reference: fact.reference })
      assert.equal(paymentId, payment.id)
    })

    test('it finds a payment by our id, and none that it was not asked for', async () => {
      const payment = newPayment()
      const { reference } = await under.provider.pay(payment)
      const found = await under.provider.find(payment)
      if (!remembers) return assert.match(found ?? '', /^\w[\w-]+$/)
      assert.equal(found, reference)
      assert.equal(await under.provider.find(newPayment()), undefined)
    })

    test('it gives up a payment', async () => {
      const payment = newPayment()
      const { reference } = await under.provider.pay(payment)
      assert.equal((await under.provider.cancel({ ...payment, reference })).paymentId, payment.id)
    })

    test('it gives money back, and tells how that stands', async () => {
      const payment = newPayment('pm_card_pendingRefund')
      const { reference } = await under.provider.pay(payment)
      if (remembers) await captured(payment, reference)
      const refund = newRefund(payment, 400)
      const fact = await under.provider.refund({ ...payment, reference }, refund)
      assert.deepEqual([fact.paymentId, fact.refundId], [payment.id, refund.id])
      const again = await under.provider.refund({ ...payment, reference }, { ...refund, reference: fact.reference })
      assert.deepEqual([again.paymentId, again.refundId], [payment.id, refund.id])
    })

    test('what cannot be reached tells nothing of what was done', async () => {
      const payment = { ...newPayment(), reference: 'x' }
      const { pay, find, lookUp, cancel, refund } = under.away
      const calls = [pay, find, lookUp, cancel, () => refund(payment, newRefund(payment, 1))]
      for (const call of calls) {
        await assert.rejects(call(payment), { code: 'SUBGRAPH_UNAVAILABLE' })
      }
    })

    test('a callback that it signed tells what happened', () => {
      const payment = newPayment()
      const refund = newRefund(payment, 400)
      const paid = readNow(under.callbacks.captured(payment))
      assert.match(paid.id, /^evt_/)
      const { about, paymentId, state, ...rest } = paid.fact ?? assert.fail('It tells nothing.')
      assert.deepEqual([about, paymentId, state], ['payment', payment.id, 'captured'])
      assert.ok('amount' in rest)
      assert.deepEqual(rest.amount, payment.amount)
      const declined = readNow(under.callbacks.declined(payment, 'insufficient_funds')).fact
      assert.ok(declined?.state === 'declined')
      assert.equal(declined.reason, 'insufficient_funds')
      const refunded = readNow(under.callbacks.refunded(payment, refund)).fact
      assert.ok(refunded?.about === 'refund')
      assert.deepEqual([refunded.paymentId, refunded.refundId, refunded.state], [payment.id, refund.id, 'succeeded'])
    })

    test('a callback about something else has a name and tells nothing', () => {
      const { id, fact } = readNow(under.callbacks.foreign())
      assert.match(id, /^evt_/)
      assert.equal(fact, undefined)
    })

    test('a callback that is forged, altered, or older than five minutes is not believed', () => {
      const body = under.callbacks.captured(newPayment())
      const refusal = { code: 'UNAUTHENTICATED' }
      const signed = under.sign(body, seconds())
      assert.throws(() => read(body, {}), refusal)
      assert.throws(() => read(body, Object.fromEntries(Object.keys(signed).map((key) => [key, 'nonsense']))), refusal)
      assert.throws(() => read(body, under.sign(body, seconds(), 'another secret of 16')), refusal)
      assert.throws(() => read(body, under.sign(body, seconds() - 301)), refusal)
      assert.throws(() => read(body.replace('captured', 'Captured').replace('1000', '1001'), signed), refusal)
      assert.ok(read(body, under.sign(body, seconds() - 290)))
    })

    if (!remembers) return

    test('what is asked for twice under one id is done once', async () => {
      const payment = newPayment()
      const [first, second] = await Promise.all([under.provider.pay(payment), under.provider.pay(payment)])
      assert.equal(first.reference, second.reference)
      const reference = await captured(payment, first.reference)
      const refund = newRefund(payment, 1_000)
      const facts = await Promise.all(
        Array.from({ length: 4 }, () => under.provider.refund({ ...payment, reference }, refund)),
      )
      assert.equal(new Set(facts.map((fact) => fact.reference)).size, 1)
      const more = await under.provider.refund({ ...payment, reference }, newRefund(payment, 1))
      assert.equal(more.state, 'failed')
    })

    test('what is captured stays so when it is given up', async () => {
      const payment = newPayment()
      const { reference } = await under.provider.pay(payment)
      await captured(payment, reference)
      assert.equal((await under.provider.cancel({ ...payment, reference })).state, 'captured')
    })

    test('a refusal is a fact', async () => {
      const declined = await under.provider.pay(newPayment('pm_card_visa_chargeDeclined'))
      assert.ok(declined.state === 'declined')
      assert.equal(declined.reason, 'card_declined')
      assert.equal((await under.provider.pay(newPayment('pm_unknown'))).state, 'declined')
    })

    /** Asks until a payment is captured. */
    async function captured(payment: Payment, reference: string): Promise<string> {
      while ((await under.provider.lookUp({ ...payment, reference })).state !== 'captured');
      return reference
    }
  })
}

const seconds = () => Math.floor(Date.now() / 1000)

function newPayment(method = 'pm_card_visa'): Payment {
  const amount = { amount: 1_000, currency: 'EUR' }
  const ids = { id: randomUUID(), orderId: randomUUID(), orderNumber: 'K7QM-2W9D', customerId: randomUUID() }
  return openPayment({ ...ids, amount, method }, new Date())
}

function newRefund(payment: Payment, amount: number): Refund {
  const at = new Date()
  return {
    id: randomUUID(),
    paymentId: payment.id,
    requestedBy: randomUUID(),
    idempotencyKey: 'k',
    inputHash: '',
    status: 'PENDING',
    amount,
    reason: 'A test.',
    reference: null,
    failure: null,
    createdAt: at,
    updatedAt: at,
  }
}
