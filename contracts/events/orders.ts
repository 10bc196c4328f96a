import { z } from 'zod'
import { defineEvent, money } from './define.ts'

/** What the orders service tells: of the life of an order, each event keyed by the order. */

const order = z.object({
  orderId: z.uuid().describe('The order.'),
  number: z.string().describe('The number that people say and write.'),
  customerId: z.uuid().describe('The account that placed it.'),
})
const total = money.describe('The sum of the items.')
const example = {
  orderId: '3e8f5a7b-1c2d-4b6e-a9f0-5d4c3b2a1f04',
  number: 'K7QM-2W9D',
  customerId: '5b0c2e0a-7d1f-4c43-9a55-0d8a4f1c2b01',
}
const exampleTotal = { amount: 6980, currency: 'EUR' }

const orderLine = z
  .object({
    productId: z.uuid().describe('The product.'),
    sku: z.string().describe('The number under which the shop keeps it.'),
    name: z.string().describe('What the catalogue called it.'),
    quantity: z.int().positive().describe('How many of it.'),
    unitPrice: money.describe('The price of one.'),
  })
  .describe('A line with the values of the moment the order was placed.')

export const orderCreated = defineEvent('order.created', {
  topic: 'orders',
  key: 'orderId',
  summary: 'An order was placed and its items are held.',
  data: order.extend({ items: z.array(orderLine).describe('In the order they were asked for.'), total }),
  example: {
    ...example,
    items: [
      {
        productId: '0f6a3c1e-52b7-4e0e-8c55-6d2f1b7a9c02',
        sku: 'SKILLET-26',
        name: 'Cast Iron Skillet 26 cm',
        quantity: 2,
        unitPrice: { amount: 3490, currency: 'EUR' },
      },
    ],
    total: exampleTotal,
  },
})

export const orderPaid = defineEvent('order.paid', {
  topic: 'orders',
  key: 'orderId',
  summary: 'An order was paid and its items are sold.',
  data: order.extend({ total }),
  example: { ...example, total: exampleTotal },
})

export const orderShipped = defineEvent('order.shipped', {
  topic: 'orders',
  key: 'orderId',
  summary: 'An order is with the carrier.',
  data: order.extend({ trackingNumber: z.string().describe('Under which the carrier knows it.') }),
  example: { ...example, trackingNumber: 'TRACK-4711' },
})

export const orderDelivered = defineEvent('order.delivered', {
  topic: 'orders',
  key: 'orderId',
  summary: 'An order is with its customer.',
  data: order,
  example,
})

export const orderCancelled = defineEvent('order.cancelled', {
  topic: 'orders',
  key: 'orderId',
  summary: 'An order ended without delivery.',
  data: order.extend({
    reason: z.string().describe('Why: a word of the shop such as EXPIRED, or what a person wrote.'),
    by: z
      .enum(['CUSTOMER', 'STAFF', 'SYSTEM'])
      .optional()
      .describe('Who ended it: its customer, somebody of the shop, or the shop itself. Absent: not told.'),
  }),
  example: { ...example, reason: 'EXPIRED', by: 'SYSTEM' },
})
