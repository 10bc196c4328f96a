import { z } from 'zod'
import { defineEvent, money } from './define.ts'

/** What the products service tells: of the catalogue and its stock, keyed by the product, and of holds, keyed by the order. */

const productId = z.uuid().describe('The product.')
const sku = z.string().describe('The number under which the shop keeps it.')
const name = z.string().describe('What the catalogue calls it.')
const example = {
  productId: '0f6a3c1e-52b7-4e0e-8c55-6d2f1b7a9c02',
  sku: 'SKILLET-26',
  name: 'Cast Iron Skillet 26 cm',
}

export const productUpdated = defineEvent('product.updated', {
  topic: 'products',
  key: 'productId',
  summary:
    'What the catalogue says of a product changed, or the product is new. Carries all of it as it is now but the description.',
  data: z.object({
    productId,
    sku,
    name,
    price: money,
    categoryId: z.uuid().describe('The category it stands in.'),
    version: z.int().positive().describe("Counts the product's changes. Also the event's sequence."),
    archived: z.boolean().describe('Whether it is for sale no longer.'),
  }),
  example: {
    ...example,
    price: { amount: 3490, currency: 'EUR' },
    categoryId: '7c1d9b4e-3a60-4f1b-9d2c-8e5f0a6b3c03',
    version: 4,
    archived: false,
  },
})

export const stockLow = defineEvent('stock.low', {
  topic: 'products',
  key: 'productId',
  summary: 'The stock of a product that is for sale has fallen to the threshold or below, from above it.',
  data: z.object({
    productId,
    sku,
    name,
    available: z.int().nonnegative().describe('How many there are to sell.'),
    threshold: z.int().nonnegative().describe('At how many it is low.'),
  }),
  example: { ...example, available: 9, threshold: 10 },
})

export const reservationExpired = defineEvent('reservation.expired', {
  topic: 'products',
  key: 'orderId',
  summary: "The hold of an order's items ended before the order was paid; the items are for sale again.",
  data: z.object({ orderId: z.uuid().describe('The order whose items were held.') }),
  example: { orderId: '3e8f5a7b-1c2d-4b6e-a9f0-5d4c3b2a1f04' },
})
