import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type ErrorCode, ServiceError } from '#platform/errors.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { settings } from '../config.ts'
import type { OrderInput } from '../domain/request.ts'
import type { Products } from '../service/dependencies.ts'
import type { OrdersStore } from '../store.ts'
import { address, heldUntil, input, type Orders, openOrders, productId as product, someone } from './open-orders.ts'

const customer = someone()

let orders: Orders
let store: Orders['store']
let products: Products
let holds: Orders['holds']
const service = (...changes: Parameters<Orders['service']>) => orders.service(...changes)

before(async () => {
  orders = await openOrders()
  ;({ store, products, holds } = orders)
})
beforeEach(() => holds.clear())
after(() => orders.close())

const refuse = (code: ErrorCode) => async () => {
  throw new ServiceError(code, 'no')
}
const states = () => [...holds.values()]

describe('an order', () => {
  test('is placed with the prices of the hold, and keeps until when that lasts', async () => {
    const order = await service().createOrder(customer, input())
    assert.equal(order.status, 'PENDING')
    assert.deepEqual(order.heldUntil, heldUntil)
    assert.deepEqual(order.total, { amount: 1_000, currency: 'EUR' })
    assert.deepEqual(order.shippingAddress, { ...address, line2: null, region: null })
    assert.deepEqual(await store.findOrders([order.id]), [order])
    assert.deepEqual(states(), ['held'])
  })

  test('is the same for the same key and input, however often it is asked for', async () => {
    const asked = input()
    const orders = await Promise.all(Array.from({ length: 10 }, () => service().createOrder(customer, asked)))
    const again = await service({ products: { ...products, reserve: refuse('INSUFFICIENT_STOCK') } }).createOrder(
      customer,
      asked,
    )
    for (const order of [...orders, again]) assert.deepEqual(order, orders[0])
    assert.equal(holds.size, 1)
  })

  test('is refused for the same key with other input', async () => {
    const asked = input()
    await service().createOrder(customer, asked)
    for (const other of [
      { items: [{ productId: product, quantity: 3 }] },
      { shippingAddress: { ...address, city: 'Bonn' } },
    ]) {
      await assert.rejects(service().createOrder(customer, { ...asked, ...other }), { code: 'IDEMPOTENCY_KEY_REUSED' })
    }
  })

  test('needs an account that exists', async () => {
    await assert.rejects(service().createOrder({ ...customer, sub: null, anonymous: true }, input()), {
      code: 'UNAUTHENTICATED',
    })
    const users = { requireUser: refuse('UNAUTHENTICATED') }
    await assert.rejects(service({ users }).createOrder(customer, input()), { code: 'UNAUTHENTICATED' })
    assert.equal(holds.size, 0)
  })

  test('takes another number when its own is taken', async () => {
    const { number } = await service().createOrder(customer, input())
    const numbers = [number, number, 'AAAA-0001']
    const order = await service({ newNumber: () => numbers.shift() ?? '' }).createOrder(customer, input())
    assert.equal(order.number, 'AAAA-0001')
  })
})

describe('a refusal or a failure', () => {
  test('refused stock frees the key', async () => {
    const asked = input()
    const short = service({ products: { ...products, reserve: refuse('INSUFFICIENT_STOCK') } })
    await assert.rejects(short.createOrder(customer, asked), { code: 'INSUFFICIENT_STOCK' })
    assert.deepEqual(states(), [], 'nothing is released that was not held')
    await service().createOrder(customer, asked)
  })

  test('an answer that did not come releases what may be held, and frees the key', async () => {
    for (const code of ['SUBGRAPH_TIMEOUT', 'SUBGRAPH_UNAVAILABLE', 'OVERLOADED', 'INTERNAL_SERVER_ERROR'] as const) {
      holds.clear()
      const asked = input()
      const lost: Products = {
        ...products,
        async reserve(orderId, items) {
          await products.reserve(orderId, items)
          return refuse(code)()
        },
      }
      await assert.rejects(service({ products: lost }).createOrder(customer, asked), { code })
      assert.deepEqual(states(), ['released'])
      await service().createOrder(customer, asked)
      assert.deepEqual(states(), ['released', 'held'])
    }
  })

  test('what cannot be released is reported, and the refusal stays what it was', async () => {
    const unreleased: string[] = []
    const refused = refuse('SUBGRAPH_UNAVAILABLE')
    const away: Products = { ...products, reserve: refused, release: refused }
    const attempt = service({ products: away, onUnreleased: (orderId) => unreleased.push(orderId) })
    await assert.rejects(attempt.createOrder(customer, input()), { code: 'SUBGRAPH_UNAVAILABLE' })
    assert.equal(unreleased.length, 1)
  })

  test('lines that cannot be summed up release the hold and free the key', async () => {
    const asked = input({
      items: [
        { productId: product, quantity: 1000 },
        { productId: randomUUID(), quantity: 1 },
      ],
    })
    const priced = (prices: { amount: number; currency: string }[]): Products => ({
      ...products,
      async reserve(orderId, items) {
        const { lines, heldUntil } = await products.reserve(orderId, items)
        return {
          lines: lines.map((line, index) => ({ ...line, unitPrice: prices[index] ?? line.unitPrice })),
          heldUntil,
        }
      },
    })
    const impossible = [
      [{ amount: 2_147_484, currency: 'EUR' }],
      [
        { amount: 1, currency: 'EUR' },
        { amount: 1, currency: 'USD' },
      ],
    ]
    for (const prices of impossible) {
      holds.clear()
      await assert.rejects(service({ products: priced(prices) }).createOrder(customer, asked), {
        code: 'BAD_USER_INPUT',
      })
      assert.deepEqual(states(), ['released'])
    }
  })

  test('an order that cannot be written releases the hold and frees the key', async () => {
    const asked = input()
    const failing = { ...store, place: () => Promise.reject(new Error('disk full')) }
    await assert.rejects(service({ store: failing }).createOrder(customer, asked), /disk full/)
    assert.deepEqual(states(), ['released'])
    await service().createOrder(customer, asked)
  })

  test('a commit whose answer was lost is found out: the order is there, and stays held', async () => {
    const unclear: OrdersStore = {
      ...store,
      async place(...args) {
        await store.place(...args)
        throw new Error('connection lost')
      },
    }
    const order = await service({ store: unclear }).createOrder(customer, input())
    assert.deepEqual(await store.findOrders([order.id]), [order])
    assert.deepEqual(states(), ['held'])
  })

  test('an unclear commit that cannot be found out is left to the end of the hold', async () => {
    const away = () => Promise.reject(new Error('database away'))
    await assert.rejects(
      service({ store: { ...store, place: away, free: away } }).createOrder(customer, input()),
      /database away/,
    )
    assert.deepEqual(states(), ['held'])
  })
})

describe('orders that wait to be paid', () => {
  const refusal = { code: 'TOO_MANY_UNPAID_ORDERS', message: /Pay or cancel one/ }

  test('are 20 of one customer at most: what is more holds nothing, until one is paid or ends', async () => {
    const most = settings.MAX_UNPAID_ORDERS.parse(undefined)
    assert.equal(most, 20)
    const bounded = service({ mostUnpaid: () => most })
    const [eve, asked] = [someone(), input()]
    const placed = await bounded.createOrder(eve, asked)
    const others = []
    while (others.length < most - 1) others.push(await bounded.createOrder(eve, input()))

    const more = [input(), input()]
    for (const one of more) await assert.rejects(bounded.createOrder(eve, one), refusal)
    assert.equal(holds.size, most)
    assert.deepEqual(await bounded.createOrder(eve, asked), placed, 'an earlier key has its answer')
    const other = { ...asked, shippingAddress: { ...address, city: 'Bonn' } }
    await assert.rejects(bounded.createOrder(eve, other), { code: 'IDEMPOTENCY_KEY_REUSED' })
    await bounded.createOrder(someone(), input())

    const [paid, ended] = others
    assert.ok(paid && ended)
    await bounded.paymentCaptured(randomUUID(), { paymentId: randomUUID(), orderId: paid.id, amount: paid.total })
    await bounded.reservationExpired(randomUUID(), ended.id)
    for (const one of more) await bounded.createOrder(eve, one)
    await assert.rejects(bounded.createOrder(eve, input()), refusal)
  })

  test('and are asked for at the same time: those that come too late are refused, and what was held for them is released', async () => {
    const eve = someone()
    const goOn = Promise.withResolvers<void>()
    let arrived = 0
    const slow: OrdersStore = {
      ...store,
      async place(...args) {
        arrived += 1
        await goOn.promise
        return store.place(...args)
      },
    }
    const late = service({ store: slow, mostUnpaid: () => 1 }).createOrder(eve, input())
    late.catch(() => {})
    await waitFor('its items are held', () => arrived === 1)
    await service({ mostUnpaid: () => 1 }).createOrder(eve, input())
    goOn.resolve()
    await assert.rejects(late, refusal)
    assert.deepEqual(states().sort(), ['held', 'released'])
  })
})

describe('two attempts for one key', () => {
  /** An attempt that stands still before it writes, as one whose process is paused does. */
  function pausedAttempt(asked: OrderInput, leaseTime: number) {
    const [arrived, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow: OrdersStore = {
      ...store,
      async place(...args) {
        arrived.resolve()
        await goOn.promise
        return store.place(...args)
      },
    }
    const order = service({ store: slow, leaseTime }).createOrder(customer, asked)
    return { order, arrived: arrived.promise, goOn: goOn.resolve }
  }

  test('the second waits for the result of the first', async () => {
    const asked = input()
    const first = pausedAttempt(asked, 15_000)
    await first.arrived
    const second = service().createOrder(customer, asked)
    first.goOn()
    assert.deepEqual(await second, await first.order)
    assert.deepEqual(states(), ['held'])
  })

  test('the second is told IN_PROGRESS when its caller stops waiting', async () => {
    const asked = input()
    const first = pausedAttempt(asked, 15_000)
    await first.arrived
    const impatient = service({ timeLeft: () => 210 })
    await assert.rejects(impatient.createOrder(customer, asked), { code: 'IN_PROGRESS', details: { retryAfter: 1 } })
    first.goOn()
    await first.order
  })

  test('the second takes over when the lease has run out, and the first then answers with its order', async () => {
    const asked = input()
    const first = pausedAttempt(asked, 1)
    await first.arrived
    const second = await service().createOrder(customer, asked)
    first.goOn()
    assert.deepEqual(await first.order, second)
    assert.deepEqual(states(), ['held'], 'both held the same, once')
  })

  test('the first, failing after the second took over, releases nothing', async () => {
    const asked = input()
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    const failing: OrdersStore = {
      ...store,
      async place() {
        arrive()
        await goOn
        throw new Error('too late')
      },
    }
    const first = service({ store: failing, leaseTime: 1 }).createOrder(customer, asked)
    await arrived
    const second = await service().createOrder(customer, asked)
    resolve()
    assert.deepEqual(await first, second)
    assert.deepEqual(states(), ['held'])
  })
})

describe('a hold that has ended', () => {
  test('a claim goes on under another order id', async () => {
    const asked = input()
    // The attempt before died after it had held the items, and its hold ended.
    let orderId = ''
    const dying: Products = {
      ...products,
      reserve(id) {
        orderId = id
        return new Promise(() => {})
      },
    }
    void service({ products: dying, leaseTime: 1 }).createOrder(customer, asked)
    await waitFor('the first attempt', () => orderId !== '')
    holds.set(orderId, 'ended')
    const order = await service().createOrder(customer, asked)
    assert.notEqual(order.id, orderId)
    assert.equal(holds.get(order.id), 'held')
  })

  test('an order whose hold ended before it was written is not placed without one', async () => {
    const asked = input()
    const seen: string[] = []
    const slow: OrdersStore = {
      ...store,
      async place(order, ...rest) {
        seen.push(order.id)
        if (seen.length === 1) {
          holds.set(order.id, 'ended')
          await service().reservationExpired(randomUUID(), order.id)
        }
        return store.place(order, ...rest)
      },
    }
    const order = await service({ store: slow }).createOrder(customer, asked)
    assert.equal(order.id, seen[1])
    assert.deepEqual(await store.findOrders(seen), [order])
    assert.equal(holds.get(order.id), 'held')
  })

  test('an order that waits for payment is cancelled, once, with an event', async () => {
    const order = await service().createOrder(customer, input())
    const eventId = randomUUID()
    await Promise.all([1, 2, 3].map(() => service().reservationExpired(eventId, order.id)))
    await service().reservationExpired(randomUUID(), order.id)
    const [cancelled] = await store.findOrders([order.id])
    assert.equal(cancelled?.status, 'CANCELLED')
    assert.equal(cancelled?.cancelReason, 'EXPIRED')
    assert.deepEqual(
      cancelled?.history.map(({ from, to, reason }) => ({ from, to, reason })),
      [
        { from: null, to: 'PENDING', reason: null },
        { from: 'PENDING', to: 'CANCELLED', reason: 'EXPIRED' },
      ],
    )
  })

  test('an event about an order that never was changes nothing', async () => {
    await service().reservationExpired(randomUUID(), randomUUID())
  })
})
