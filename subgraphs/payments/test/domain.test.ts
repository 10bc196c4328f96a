import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ServiceError } from '#platform/errors.ts'
import { learnOfPayment, openPayment, type Payment, type PaymentStatus, transition } from '../domain/payment.ts'
import { learnOfRefund, openRefund, type Refund, refundable, returnAll } from '../domain/refund.ts'
import { parsePayRequest, parseRefundRequest } from '../domain/request.ts'

const at = new Date('2026-01-01T00:00:00Z')
const amount = { amount: 1_000, currency: 'EUR' }
const order = { orderId: 'o', orderNumber: 'K7QM-2W9D', customerId: 'c' }
const pending = openPayment({ id: 'p', ...order, amount, method: 'pm_card_visa' }, at)
const paymentId = 'p'
const reference = 'ref'
const capture = { paymentId, reference, state: 'captured', amount } as const
const decline = { paymentId, reference, state: 'declined', reason: 'card_declined' } as const

const statuses: PaymentStatus[] = ['PENDING', 'CAPTURED', 'DECLINED', 'PARTIALLY_REFUNDED', 'REFUNDED']
const legal = [
  'PENDING CAPTURED',
  'PENDING DECLINED',
  'CAPTURED PARTIALLY_REFUNDED',
  'CAPTURED REFUNDED',
  'PARTIALLY_REFUNDED PARTIALLY_REFUNDED',
  'PARTIALLY_REFUNDED REFUNDED',
]

describe('a payment', () => {
  for (const from of statuses) {
    for (const to of statuses) {
      const isLegal = legal.includes(`${from} ${to}`)
      test(`${from} ${isLegal ? 'may' : 'may not'} become ${to}`, () => {
        const move = () => transition({ ...pending, status: from }, to, at).status
        if (isLegal) assert.equal(move(), to)
        else assert.throws(move, { code: 'ILLEGAL_TRANSITION' })
      })
    }
  }

  test('keeps what its payer must do while it is pending, and the means of payment until the outcome is known', () => {
    const nextAction = { type: 'REDIRECT', url: 'https://bank.example/1' } as const
    const waiting = learnOfPayment(pending, { paymentId, reference, state: 'pending', nextAction }, at)
    assert.deepEqual([waiting.nextAction, waiting.method, waiting.reference], [nextAction, 'pm_card_visa', reference])
    const captured = learnOfPayment(waiting, capture, at)
    assert.deepEqual([captured.nextAction, captured.method], [null, null])
  })

  test('is not captured with another amount', () => {
    for (const other of [
      { amount: 999, currency: 'EUR' },
      { amount: 1_000, currency: 'USD' },
    ]) {
      assert.throws(() => learnOfPayment(pending, { ...capture, amount: other }, at), /another amount/)
    }
  })
})

/** What may happen to a payment, in any order and any number of times. */
const step = fc.oneof(
  fc.constant({ do: 'learn', fact: capture } as const),
  fc.constant({ do: 'learn', fact: decline } as const),
  fc.constant({ do: 'learn', fact: { paymentId, reference, state: 'pending', nextAction: null } } as const),
  fc.record({ do: fc.constant('refund' as const), amount: fc.option(fc.integer({ min: -10, max: 1_200 })) }),
  fc.record({
    do: fc.constant('settle' as const),
    index: fc.nat(20),
    state: fc.constantFrom('pending' as const, 'succeeded' as const, 'failed' as const),
  }),
  fc.constant({ do: 'return' } as const),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
type State = { payment: Payment; refunds: Refund[] }

function take(state: State, action: Step, id: string): State {
  const { payment, refunds } = state
  switch (action.do) {
    case 'learn':
      return { ...state, payment: learnOfPayment(payment, action.fact, at) }
    case 'refund': {
      const request = { id, requestedBy: 'm', idempotencyKey: id, inputHash: '', reason: 'r', amount: action.amount }
      return { payment, refunds: [...refunds, openRefund(payment, refunds, request, at)] }
    }
    case 'return': {
      const refund = payment.status === 'PENDING' ? undefined : returnAll(payment, refunds, { id, reason: 'r' }, at)
      return { payment, refunds: [...refunds, ...(refund ? [refund] : [])] }
    }
    case 'settle': {
      const refund = refunds[action.index]
      const fact = { refundId: refund?.id ?? '', paymentId, reference, state: action.state }
      const after = refund && learnOfRefund(payment, refund, fact, at)
      if (!after) return state
      return { payment: after.payment, refunds: refunds.map((one) => (one === refund ? after.refund : one)) }
    }
  }
}

test('whatever happens in whatever order: never more goes back than was captured, and no move is illegal', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let state: State = { payment: pending, refunds: [] }
      for (const [index, action] of steps.entries()) {
        const before = state
        try {
          state = take(state, action, `r${index}`)
        } catch (error) {
          // What a manager asks for may be refused; what the provider says is never.
          if (!(error instanceof ServiceError) || action.do !== 'refund') throw error
          continue
        }
        const move = `${before.payment.status} ${state.payment.status}`
        assert.ok(before.payment.status === state.payment.status || legal.includes(move), move)
        const { payment, refunds } = state
        const sum = (wanted: Refund['status'][]) =>
          refunds.filter(({ status }) => wanted.includes(status)).reduce((total, one) => total + one.amount, 0)
        assert.ok(sum(['PENDING', 'SUCCEEDED']) <= payment.amount.amount)
        assert.ok(refundable(payment, refunds) >= 0)
        assert.equal(payment.refunded.amount, payment.status === 'DECLINED' ? 0 : sum(['SUCCEEDED']))
        assert.equal(payment.status === 'REFUNDED', payment.refunded.amount === payment.amount.amount)
        const keys = refunds.map(({ requestedBy, idempotencyKey }) => `${requestedBy} ${idempotencyKey}`)
        assert.equal(new Set(keys).size, keys.length)
      }
    }),
  )
})

test('whatever order facts come in, the first outcome stays', () => {
  const facts = fc.array(fc.constantFrom(capture, decline), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(facts, (all) => {
      const after = all.reduce((payment, fact) => learnOfPayment(payment, fact, at), pending)
      assert.equal(after.status, all[0]?.state === 'captured' ? 'CAPTURED' : 'DECLINED')
    }),
  )
})

describe('what is asked for', () => {
  const orderId = '6f0e8f0e-0000-4000-8000-000000000001'
  const pay = { orderId, paymentMethod: 'pm_card_visa', idempotencyKey: 'k' }
  test('is the same only with the same order and means of payment', () => {
    const { inputHash } = parsePayRequest(pay)
    assert.equal(parsePayRequest({ ...pay, orderId: orderId.toUpperCase() }).inputHash, inputHash)
    assert.notEqual(parsePayRequest({ ...pay, paymentMethod: 'pm_card_mastercard' }).inputHash, inputHash)
  })
  test('names the field at fault', () => {
    assert.throws(() => parsePayRequest({ ...pay, paymentMethod: '../x' }), { details: { field: 'paymentMethod' } })
    assert.throws(() => parsePayRequest({ ...pay, idempotencyKey: '' }), { details: { field: 'idempotencyKey' } })
    const refund = { paymentId: orderId, reason: 'r', idempotencyKey: 'k' }
    assert.throws(() => parseRefundRequest({ ...refund, amount: 0 }), { details: { field: 'amount' } })
    assert.throws(() => parseRefundRequest({ ...refund, reason: '' }), { details: { field: 'reason' } })
  })
})
