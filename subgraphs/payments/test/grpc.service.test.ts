import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { PaymentServiceDefinition } from '#generated/grpc/payments/v1/PaymentService.ts'
import { loadService } from '#platform/grpc/service.ts'
import { serveRpcs } from '../../../test/infra/rpcs.ts'
import { createRpcHandlers } from '../grpc.ts'
import { customer, openPayments, type Payments } from './open-payments.ts'

const service = loadService<PaymentServiceDefinition>('payments.v1.PaymentService')

let payments: Payments
let served: Awaited<ReturnType<typeof serveRpcs<PaymentServiceDefinition>>>
before(async () => {
  payments = await openPayments()
  served = await serveRpcs('payments', service, createRpcHandlers(payments.service))
})
after(async () => {
  await served.close()
  await payments.close()
})

test('GetPayment tells of a payment and ListByOrder of all of an order, oldest first', async () => {
  const rpcs = served.as('orders')
  const orderId = payments.order()
  const declined = await payments.pay(orderId, 'pm_card_visa_chargeDeclined')
  const captured = await payments.until((await payments.pay(orderId)).id, 'CAPTURED')
  await payments.refund(captured.id, 400)
  const amount = { amount: 10_000, currency: 'EUR' }
  const common = { orderId, customerId: customer.sub, amount }
  const second = {
    ...common,
    id: captured.id,
    refunded: { amount: 400, currency: 'EUR' },
    status: 'PARTIALLY_REFUNDED',
    declineReason: '',
    createdAt: captured.createdAt.toISOString(),
  }
  assert.deepEqual(await rpcs.getPayment({ id: captured.id.toUpperCase() }), second)
  const { payments: listed } = await rpcs.listByOrder({ orderId })
  const first = {
    ...common,
    id: declined.id,
    refunded: { amount: 0, currency: 'EUR' },
    status: 'DECLINED',
    declineReason: 'card_declined',
    createdAt: declined.createdAt.toISOString(),
  }
  assert.deepEqual(listed, [first, second])
  assert.deepEqual((await rpcs.listByOrder({ orderId: randomUUID() })).payments, [])
})

test('what is not there and what cannot be is refused', async () => {
  const rpcs = served.as('orders')
  for (const id of [randomUUID(), 'x', '']) await assert.rejects(rpcs.getPayment({ id }), { code: 'NOT_FOUND' })
  await assert.rejects(rpcs.listByOrder({ orderId: 'x' }), { code: 'BAD_USER_INPUT', details: { field: 'orderId' } })
})
