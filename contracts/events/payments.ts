import { z } from 'zod'
import { defineEvent, money } from './define.ts'

/** What the payments service tells: of the money of an order, each event keyed by the order. */

const payment = z.object({
  paymentId: z.uuid().describe('The attempt to pay.'),
  orderId: z.uuid().describe('The order it is for.'),
  customerId: z.uuid().describe('The account that placed the order.'),
  orderNumber: z.string().optional().describe('The number of the order that people say and write.'),
})
const example = {
  paymentId: '9d2b4c6e-8f0a-4b1c-8d3e-7f5a6b9c0d05',
  orderId: '3e8f5a7b-1c2d-4b6e-a9f0-5d4c3b2a1f04',
  customerId: '5b0c2e0a-7d1f-4c43-9a55-0d8a4f1c2b01',
  orderNumber: 'K7QM-2W9D',
}
const exampleAmount = { amount: 6980, currency: 'EUR' }

export const paymentCaptured = defineEvent('payment.captured', {
  topic: 'payments',
  key: 'orderId',
  summary: 'The money of an order is ours.',
  data: payment.extend({ amount: money.describe('What was captured.') }),
  example: { ...example, amount: exampleAmount },
})

export const paymentDeclined = defineEvent('payment.declined', {
  topic: 'payments',
  key: 'orderId',
  summary: 'An attempt to pay an order failed. The order can be paid anew.',
  data: payment.extend({
    reason: z.string().describe("The provider's word for why, or none."),
    amount: money.optional().describe('What was to be paid.'),
  }),
  example: { ...example, reason: 'insufficient_funds', amount: exampleAmount },
})

export const paymentRefunded = defineEvent('payment.refunded', {
  topic: 'payments',
  key: 'orderId',
  summary: 'Money of an order went back, all of it or a part.',
  data: payment.extend({
    refundId: z.uuid().describe('What went back now, as one thing.'),
    amount: money.describe('What went back now.'),
    refunded: money.describe('What of the payment went back until now.'),
    full: z.boolean().describe('Whether that is all of it.'),
    reason: z.string().describe('Why, in the words of whoever gave it back.'),
  }),
  example: {
    ...example,
    refundId: '1a3c5e7f-9b0d-4e2f-a4c6-8d0e2f4a6b06',
    amount: { amount: 3490, currency: 'EUR' },
    refunded: { amount: 3490, currency: 'EUR' },
    full: false,
    reason: 'One of two came back.',
  },
})
