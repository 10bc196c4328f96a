import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blankAddress, orderNumber, placeOrder } from '../domain/order.ts'
import { hashRequest, type OrderInput, parseRequest } from '../domain/request.ts'

const at = new Date(0)
const heldUntil = new Date(900_000)
const line = { productId: 'p', sku: 's', name: 'n', quantity: 3, unitPrice: { amount: 250, currency: 'EUR' } }
const shippingAddress = { name: 'E', line1: 'S', line2: null, city: 'B', region: null, postalCode: '1', country: 'DE' }
const place = (lines = [line]) =>
  placeOrder({ id: 'o', number: 'N', customerId: 'c', lines, shippingAddress, heldUntil }, at)
test('the total is the sum of the lines in one currency, up to what GraphQL can say', () => {
  const priced = (amount: number, currency = 'EUR') => ({ ...line, quantity: 1, unitPrice: { amount, currency } })
  assert.deepEqual(place([line, priced(1)]).total, { amount: 751, currency: 'EUR' })
  assert.deepEqual(place([priced(2 ** 31 - 1)]).total.amount, 2 ** 31 - 1)
  for (const lines of [[priced(2 ** 31 - 1), priced(1)], [priced(1), priced(1, 'USD')], []]) {
    assert.throws(() => place(lines), { code: 'BAD_USER_INPUT' })
  }
})

test('of a blanked address the country alone is left, in the shape of an address', () => {
  const whole = { name: 'Eve', line1: 'S 1', line2: 'L', city: 'B', region: 'R', postalCode: '1', country: 'DE' }
  const blank = blankAddress(whole)
  assert.deepEqual(blank, {
    name: 'erased',
    line1: 'erased',
    line2: null,
    city: 'erased',
    region: null,
    postalCode: 'erased',
    country: 'DE',
  })
  assert.deepEqual(blankAddress(blank), blank)
})

test('an order number is eight symbols that cannot be taken for each other', () => {
  assert.equal(orderNumber(Uint8Array.from([0, 1, 31, 32, 33, 63, 255, 18])), '01Z0-1ZZJ')
  for (let byte = 0; byte < 256; byte++)
    assert.match(orderNumber(new Uint8Array(8).fill(byte)), /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
})

const id = '0b2f9a1c-1111-4222-8333-444455556666'
const input: OrderInput = {
  items: [{ productId: id.toUpperCase(), quantity: 1 }],
  shippingAddress: { name: ' Eve ', line1: 'S 1', line2: '  ', city: 'B', postalCode: '1', country: ' de' },
  idempotencyKey: ' k ',
}

test('what a customer writes is brought into one form', () => {
  assert.deepEqual(parseRequest(input), {
    items: [{ productId: id, quantity: 1 }],
    shippingAddress: {
      name: 'Eve',
      line1: 'S 1',
      line2: null,
      city: 'B',
      region: null,
      postalCode: '1',
      country: 'DE',
    },
    idempotencyKey: 'k',
  })
})

test('the hash tells requests apart by what they ask for, not by how it was written', () => {
  const hash = (changes: Partial<OrderInput>) => hashRequest(parseRequest({ ...input, ...changes }))
  assert.equal(hash({}), hash({ items: [{ productId: id, quantity: 1 }], idempotencyKey: 'other' }))
  assert.notEqual(hash({}), hash({ items: [{ productId: id, quantity: 2 }] }))
  assert.notEqual(hash({}), hash({ shippingAddress: { ...input.shippingAddress, line1: 'S 2' } }))
})

test('an idempotency key has 1 to 200 characters', () => {
  for (const idempotencyKey of ['', '  ', 'x'.repeat(201), 'a\nb']) {
    assert.throws(() => parseRequest({ ...input, idempotencyKey }), {
      code: 'BAD_USER_INPUT',
      details: { field: 'idempotencyKey' },
    })
  }
})
