import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashItems, parseItems } from '../domain.ts'

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
