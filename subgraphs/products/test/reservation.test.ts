import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashItems, parseItems, reserve } from '../domain/reservation.ts'

const a = '0b2f9a1c-1111-4222-8333-444455556666'
const b = '0b2f9a1c-1111-4222-8333-444455557777'

test('items that break a rule are refused, with their place', () => {
  const field = (items: { productId: string; quantity: number }[]) => {
    try {
      parseItems(items)
    } catch (error) {
      return (error as { details: { field?: string } }).details.field
    }
    return undefined
  }
  assert.equal(field([]), 'items')
  assert.equal(field(Array.from({ length: 101 }, () => ({ productId: a, quantity: 1 }))), 'items')
  for (const quantity of [0, -1, 1001, 1.5, Number.NaN])
    assert.equal(field([{ productId: a, quantity }]), 'items.0.quantity')
  const twice = [
    { productId: a, quantity: 1 },
    { productId: a.toUpperCase(), quantity: 1 },
  ]
  assert.equal(field(twice), 'items.1.productId')
  assert.equal(field([{ productId: 'x', quantity: 1 }]), 'items.0.productId')
  assert.equal(field([{ productId: a, quantity: 1000 }]), undefined)
})

test('the hash of items does not depend on the order of the lines', () => {
  const items = [
    { productId: a, quantity: 1 },
    { productId: b, quantity: 2 },
  ]
  assert.equal(hashItems(items), hashItems([...items].reverse()))
  assert.notEqual(
    hashItems(items),
    hashItems([
      { productId: a, quantity: 2 },
      { productId: b, quantity: 1 },
    ]),
  )
})

test('of many products that are short, the details hold all and the message the first few', () => {
  const products = Array.from({ length: 7 }, (_, n) => ({
    id: `p${n}`,
    sku: `s${n}`,
    name: `Thing ${n}`,
    price: { amount: 100, currency: 'EUR' },
    available: n,
    archivedAt: null,
  }))
  const items = products.map(({ id }) => ({ productId: id, quantity: 6 }))
  assert.throws(() => reserve(items, products), {
    code: 'INSUFFICIENT_STOCK',
    message: 'Not enough in stock: Thing 0, Thing 1, Thing 2, Thing 3, Thing 4 and 1 more.',
    details: { items: items.slice(0, 6).map(({ productId }, n) => ({ productId, requested: 6, available: n })) },
  })
})
