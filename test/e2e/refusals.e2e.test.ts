import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { codesOf, refused } from './refused.ts'

/** What the rules of the shop refuse: each with a code, and nothing reserved or half created. */

let stack: TestStack
let token: string
let product: string
let other: string
before(async () => {
  stack = await startTestStack({ extra: { orders: { env: { MAX_UNPAID_ORDERS: '20' } } } })
  token = (await stack.signUp()).token
  ;[product = '', other = ''] = await stack.addProducts(5, 5)
})
after(() => stack.stop())

describe('createOrder', () => {
  const order = (items: unknown, address?: object) => () =>
    stack.createOrder(token, items as object[], randomUUID(), address)
  const line = (quantity: unknown, productId = product) => ({ productId, quantity })

  test('an unknown product', async () => {
    await refused(stack, order([line(1), line(1, randomUUID())]), 'NOT_FOUND', 'items.1.productId')
    await refused(stack, order([line(1, 'not an id')]), 'NOT_FOUND', 'items.0.productId')
  })
  test('a quantity of 0, a negative one, one above 1000', async () => {
    for (const quantity of [0, -1, 1001])
      await refused(stack, order([line(quantity)]), 'BAD_USER_INPUT', 'items.0.quantity')
  })
  test('no line, over 100 lines, a product in two lines', async () => {
    await refused(stack, order([]), 'BAD_USER_INPUT', 'items')
    await refused(stack, order(Array.from({ length: 101 }, () => line(1, randomUUID()))), 'BAD_USER_INPUT', 'items')
    await refused(stack, order([line(1), line(1, product.toUpperCase())]), 'BAD_USER_INPUT', 'items.1.productId')
  })
  test('not enough stock: all or none, and the items that are short are named', async () => {
    const { errors } = await refused(stack, order([line(5), line(6, other)]), 'INSUFFICIENT_STOCK')
    assert.deepEqual(errors[0]?.extensions.items, [{ productId: other, requested: 6, available: 5 }])
  })
  test('wrong types', async () => {
    for (const quantity of ['1', 1.5, null, 2 ** 31, true, [1, 2]])
      await refused(stack, order([line(quantity)]), 'BAD_USER_INPUT')
    await refused(stack, order('x'), 'BAD_USER_INPUT')
  })
  test('an address that is none', async () => {
    await refused(stack, order([line(1)], { country: 'XX' }), 'BAD_USER_INPUT', 'shippingAddress.country')
    await refused(stack, order([line(1)], { city: '  ' }), 'BAD_USER_INPUT', 'shippingAddress.city')
    await refused(stack, order([line(1)], { line1: 'a\u0000b' }), 'BAD_USER_INPUT', 'shippingAddress.line1')
    await refused(stack, order([line(1)], { name: 'x'.repeat(101) }), 'BAD_USER_INPUT', 'shippingAddress.name')
  })
  test('a price from the client: the schema has no place for it', async () => {
    await refused(stack, order([{ ...line(1), unitPrice: { amount: 1, currency: 'EUR' } }]), 'BAD_USER_INPUT')
  })
  test('an idempotency key that was used for another order', async () => {
    const [own = ''] = await stack.addProducts(5)
    const key = randomUUID()
    assert.deepEqual(codesOf(await stack.createOrder(token, [line(1, own)], key)), [])
    await refused(stack, () => stack.createOrder(token, [line(2, own)], key), 'IDEMPOTENCY_KEY_REUSED')
  })
  test("another customer's key is another key", async () => {
    const [own = ''] = await stack.addProducts(5)
    const key = randomUUID()
    const [first, second] = [await stack.createOrder(token, [line(1, own)], key), await stack.signUp()]
    const theirs = await stack.createOrder(second.token, [line(1, own)], key)
    assert.notEqual(theirs.data.createOrder.order.id, first.data.createOrder.order.id)
  })
  test('more orders than may wait to be paid: the words say what to do, and doing it helps', async () => {
    const [own = ''] = await stack.addProducts(100)
    const eve = await stack.signUp()
    const ids: string[] = []
    while (ids.length < 20) ids.push(await stack.placeOrder(eve.token, own))
    const { errors } = await refused(
      stack,
      () => stack.createOrder(eve.token, [line(1, own)]),
      'TOO_MANY_UNPAID_ORDERS',
    )
    assert.match(errors[0]?.message ?? '', /Pay or cancel one/)
    const cancelled = await stack.mutate('cancelOrder', 'order { status }', { orderId: ids[0] }, eve.token)
    assert.equal(cancelled.payload?.order.status, 'CANCELLED')
    await stack.placeOrder(eve.token, own)
    const left = 'SELECT available FROM products WHERE id = $1'
    await waitFor('its stock to be back', async () => (await stack.sql('products', left, [own]))[0].available === 80)
  })
  test('a key whose order was refused is free again', async () => {
    const [own = ''] = await stack.addProducts(1)
    const key = randomUUID()
    await refused(stack, () => stack.createOrder(token, [line(2, own)], key), 'INSUFFICIENT_STOCK')
    assert.deepEqual(codesOf(await stack.createOrder(token, [line(1, own)], key)), [])
  })
})

describe('accounts', () => {
  const register = (input: object) => () =>
    stack.graphql('mutation ($input: RegisterInput!) { register(input: $input) { user { email } } }', { input })
  const account = (email: string) => ({ name: 'Eve', email, password: 'correct horse' })

  test('an address that has an account, in any case and with spaces around it', async () => {
    const { email } = await stack.signUp()
    for (const same of [email, email.toUpperCase(), `  ${email}\t`])
      await refused(stack, register(account(same)), 'EMAIL_TAKEN')
  })
  test('20 registrations of one address at once make one account', async () => {
    const email = `${randomUUID()}@example.com`
    const results = await Promise.all(Array.from({ length: 20 }, register(account(email))))
    assert.deepEqual(results.flatMap(codesOf), Array(19).fill('EMAIL_TAKEN'))
    const [{ count }] = await stack.sql('users', 'SELECT count(*)::int FROM users WHERE email = $1', [email])
    assert.equal(count, 1)
  })
  test('names, addresses, passwords and locales that break a rule', async () => {
    const email = () => `${randomUUID()}@example.com`
    await refused(stack, register({ ...account(email()), name: ' ' }), 'BAD_USER_INPUT', 'name')
    await refused(stack, register({ ...account(email()), password: 'short' }), 'BAD_USER_INPUT', 'password')
    await refused(stack, register({ ...account(email()), locale: 'not a locale' }), 'BAD_USER_INPUT', 'locale')
    for (const bad of [
      '',
      'x',
      'x@',
      '@x.de',
      'a b@x.de',
      'a@x',
      'a@x..de',
      `${'a'.repeat(250)}@x.de`,
      'a\u0000@x.de',
    ]) {
      await refused(stack, register(account(bad)), 'BAD_USER_INPUT', 'email')
    }
  })
  test('wrong credentials: the same words for a wrong password, an unknown address and none', async () => {
    const { email } = await stack.signUp()
    const login = (input: object) => () =>
      stack.graphql('mutation ($input: LoginInput!) { login(input: $input) { accessToken } }', { input })
    const wrong = await refused(stack, login({ email, password: 'wrong' }), 'INVALID_CREDENTIALS')
    const unknown = await refused(
      stack,
      login({ email: 'nobody@example.com', password: 'wrong' }),
      'INVALID_CREDENTIALS',
    )
    const none = await refused(stack, login({ email: 'a\u0000@example.com', password: 'wrong' }), 'INVALID_CREDENTIALS')
    for (const other of [unknown, none]) assert.deepEqual(wrong.errors, other.errors)
  })
})

describe('queries', () => {
  test('what is not there, cannot be, or is asked for in pages that are none', async () => {
    await refused(stack, () => stack.graphql('{ product(id: "x") { id } }'), 'NOT_FOUND')
    await refused(stack, () => stack.graphql(`{ product(id: "${randomUUID()}") { id } }`), 'NOT_FOUND')
    await refused(stack, () => stack.graphql('{ productBySku(sku: "none") { id } }'), 'NOT_FOUND')
    await refused(stack, () => stack.graphql('{ productBySku(sku: "\\u0000") { id } }'), 'NOT_FOUND')
    for (const first of [0, -1, 101]) {
      await refused(
        stack,
        () => stack.graphql(`{ products(first: ${first}) { edges { cursor } } }`),
        'BAD_USER_INPUT',
        'first',
      )
    }
    await refused(
      stack,
      () => stack.graphql('{ products(after: "x") { edges { cursor } } }'),
      'BAD_USER_INPUT',
      'after',
    )
  })
})
