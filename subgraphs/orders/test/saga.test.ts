import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ServiceError } from '#platform/errors.ts'
import { type Order, type OrderStatus, placeOrder } from '../domain/order.ts'
import { cancel, close, decline, deliver, expire, pay, refund, ship, system, transition } from '../domain/saga.ts'

const at = new Date(0)
const heldUntil = new Date(900_000)
const line = { productId: 'p', sku: 's', name: 'n', quantity: 2, unitPrice: { amount: 500, currency: 'EUR' } }
const shippingAddress = { name: 'E', line1: 'S', line2: null, city: 'B', region: null, postalCode: '1', country: 'DE' }
const placed = () =>
  placeOrder({ id: 'o', number: 'N', customerId: 'c', lines: [line], shippingAddress, heldUntil }, at)
const staff = { at, actor: { by: 'STAFF', byId: 's' } } as const
const statuses: OrderStatus[] = ['PENDING', 'PAID', 'SHIPPED', 'DELIVERED', 'CANCELLED']

test('an order goes only where its life allows', () => {
  const legal = new Set(['PENDING PAID', 'PENDING CANCELLED', 'PAID SHIPPED', 'PAID CANCELLED', 'SHIPPED DELIVERED'])
  for (const from of statuses) {
    for (const to of statuses) {
      const order: Order = { ...placed(), status: from }
      if (legal.has(`${from} ${to}`)) assert.equal(transition(order, to, staff).status, to)
      else assert.throws(() => transition(order, to, staff), { code: 'ILLEGAL_TRANSITION' }, `${from} ${to}`)
    }
  }
})

test('a transition adds who, when and why to the history, and a cancellation keeps its reason', () => {
  const later = new Date(1)
  const cancelled = transition(placed(), 'CANCELLED', { at: later, actor: system, reason: 'EXPIRED' })
  const entry = { from: 'PENDING', to: 'CANCELLED', at: later, reason: 'EXPIRED', by: 'SYSTEM', byId: null }
  assert.deepEqual(cancelled.history.at(-1), entry)
  assert.equal(cancelled.cancelReason, 'EXPIRED')
  assert.equal(cancelled.updatedAt, later)
  assert.equal(transition(placed(), 'PAID', { ...staff, reason: 'why' }).cancelReason, null)
})

/** What can happen to an order, with the status that comes of each status it may have; `!` refuses, the rest stays. */
const model: Record<
  string,
  { move: (order: Order) => Order | undefined; leads: Partial<Record<OrderStatus, string>> }
> = {
  cancel: {
    move: (order) => cancel(order, { ...staff, reason: 'R' }),
    leads: { PENDING: 'CANCELLED', PAID: 'CANCELLED', SHIPPED: '!', DELIVERED: '!' },
  },
  ship: {
    move: (order) => ship(order, 'T1', staff),
    leads: { PENDING: '!', PAID: 'SHIPPED', CANCELLED: '!' },
  },
  deliver: {
    move: (order) => deliver(order, staff),
    leads: { PENDING: '!', PAID: '!', SHIPPED: 'DELIVERED', CANCELLED: '!' },
  },
  pay: { move: (order) => pay(order, at), leads: { PENDING: 'PAID' } },
  expire: { move: (order) => expire(order, at), leads: { PENDING: 'CANCELLED' } },
  decline: { move: (order) => decline(order, at), leads: {} },
  refundInPart: { move: (order) => refund(order, { amount: 1, currency: 'EUR' }, { full: false, at }), leads: {} },
  refundInFull: {
    move: (order) => refund(order, { amount: 1_000, currency: 'EUR' }, { full: true, at }),
    leads: { PENDING: 'CANCELLED', PAID: 'CANCELLED' },
  },
  close: { move: (order) => close(order, at), leads: { PENDING: 'CANCELLED', PAID: 'CANCELLED' } },
}

test('whatever happens in whatever order, an order is where a plain table of moves says, and its history tells how it got there', () => {
  const names = Object.keys(model)
  let moves = 0
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 12 }), (sequence) => {
      let order = placed()
      let status: OrderStatus = 'PENDING'
      for (const name of sequence) {
        const step = model[name]
        assert.ok(step)
        const wanted: string = step.leads[status] ?? status
        const before = structuredClone(order)
        try {
          const after = step.move(order)
          assert.notEqual(wanted, '!', `${name} of ${status}`)
          assert.deepEqual(order, before, 'what was is left alone')
          order = after ?? order
          status = wanted as OrderStatus
          moves += 1
        } catch (error) {
          assert.ok(error instanceof ServiceError && error.code === 'ILLEGAL_TRANSITION', String(error))
          assert.equal(wanted, '!', `${name} of ${status}`)
        }
        assert.equal(order.status, status)
      }
      const { history } = order
      assert.equal(history[0]?.from, null)
      for (const [index, entry] of history.slice(1).entries()) assert.equal(entry.from, history[index]?.to)
      assert.equal(history.at(-1)?.to, order.status)
      assert.equal(order.cancelReason !== null, order.status === 'CANCELLED')
      assert.equal(order.trackingNumber !== null, order.status === 'SHIPPED' || order.status === 'DELIVERED')
      assert.deepEqual([order.total, order.lines, order.customerId], [placed().total, [line], 'c'])
    }),
    { numRuns: 10_000 },
  )
  assert.ok(moves > 10_000)
})
