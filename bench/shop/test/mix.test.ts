import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMix, kinds, ordersMix, shopMix, spread, type Unpaid } from '../mix.ts'

const customers = [{ email: 'a@example.com', token: 'a' }]

test('of a hundred requests each kind has its share', () => {
  const counted = Object.groupBy(spread(shopMix), (kind) => kind)
  assert.deepEqual(Object.fromEntries(kinds.map((kind) => [kind, counted[kind]?.length])), shopMix)
})

test('no kind comes in a bunch', () => {
  const order = spread(shopMix)
  const rare = order.flatMap((kind, place) => (kind === 'login' ? [place] : []))
  assert.ok((rare[1] ?? 0) - (rare[0] ?? 0) >= 40, String(rare))
})

test('an order is paid once, by whoever placed it', () => {
  const next = createMix({ mix: ordersMix, customers, products: 100 })
  const unpaid: Unpaid[] = [{ id: 'one', customer: { email: 'b@example.com', token: 'b' }, took: 0 }]
  const drawn = [0, 1, 2, 3].map((n) => next(n, unpaid))
  const paid = drawn.filter(({ kind }) => kind === 'payOrder')
  assert.deepEqual(
    paid.map(({ customer }) => customer.token),
    ['b'],
  )
  assert.equal(drawn.length - paid.length, drawn.filter(({ kind }) => kind === 'createOrder').length)
})

test('customers sign in in turn, so that no token gets too old', () => {
  const three = ['a', 'b', 'c'].map((token) => ({ email: `${token}@example.com`, token }))
  const next = createMix({ mix: { login: 1 }, customers: three, products: 100 })
  const drawn = Array.from({ length: 6 }, (_, n) => next(n, []).customer.token)
  assert.deepEqual(drawn, ['a', 'b', 'c', 'a', 'b', 'c'])
})

test('the same requests are drawn for the same seed', () => {
  const drawn = [1, 2].map(() => {
    const next = createMix({ mix: { 'product page': 50, search: 50 }, customers, products: 1_000 })
    return Array.from({ length: 50 }, (_, n) => next(n, []).body)
  })
  assert.deepEqual(drawn[0], drawn[1])
})

test('a fifth of the products has about four fifths of the visits', () => {
  const products = 1_000
  const next = createMix({ mix: { 'product page': 1 }, customers, products })
  const ids = Array.from({ length: 5_000 }, (_, n) => JSON.parse(next(n, []).body).variables.id)
  const counts = [...Map.groupBy(ids, (id) => id).values()].map(({ length }) => length).sort((a, b) => b - a)
  const share = counts.slice(0, products / 5).reduce((sum, count) => sum + count, 0) / ids.length
  assert.ok(share > 0.75 && share < 0.9, String(share))
})
