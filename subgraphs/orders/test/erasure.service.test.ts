import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ServiceError } from '#platform/errors.ts'
import { lockWaits } from '../../../test/infra/locks.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import type { Products } from '../service/dependencies.ts'
import type { OrdersStore } from '../store.ts'
import { type Orders, openOrders, input as orderInput, someone } from './open-orders.ts'

/** What becomes of a person's orders when the account is erased. */

const address = {
  name: 'Eve Example',
  line1: 'Secret Street 1',
  line2: 'Back door',
  city: 'Hiddenham',
  region: 'Nowhereshire',
  postalCode: 'D-10115',
  country: 'DE',
}
const blank = {
  name: 'erased',
  line1: 'erased',
  line2: null,
  city: 'erased',
  region: null,
  postalCode: 'erased',
  country: 'DE',
}

let orders: Orders
let store: Orders['store']
let products: Orders['products']
const service = (...changes: Parameters<Orders['service']>) => orders.service(...changes)
const input = () => orderInput({ items: [{ productId: randomUUID(), quantity: 2 }], shippingAddress: address })

const erasureBatch = 500
before(async () => {
  orders = await openOrders({ erasureBatch })
  ;({ store, products } = orders)
})
beforeEach(() => orders.empty())
after(() => orders.close())

const erase = ({ sub }: { sub: string }, event = randomUUID()) => service().customerErased(event, sub)
const states = () => [...orders.holds.values()]
const rows = (query: string) => orders.sql(query)

/** Every row of every table, as text. */
async function wholeDatabase(): Promise<string> {
  const texts: string[] = []
  for (const { tablename } of await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")) {
    texts.push(...(await rows(`SELECT t::text FROM "${tablename}" t`)).map(({ t }) => t))
  }
  return texts.join('\n')
}

describe('an erasure', () => {
  test('leaves every order that has ended or is shipped as it was, but for the address, of which the country stays', async () => {
    const customer = someone()
    const expired = await service().createOrder(customer, input())
    await service().reservationExpired(randomUUID(), expired.id)
    const shipped = await service().createOrder(customer, input())
    const payment = { paymentId: randomUUID(), orderId: shipped.id, amount: shipped.total }
    await service().paymentCaptured(randomUUID(), payment)
    await service().shipOrder(someone('orders:fulfil'), { orderId: shipped.id, trackingNumber: 'T' })
    for (const id of [expired.id, shipped.id]) {
      const before = await orders.find(id)
      await erase(customer)
      assert.deepEqual(await orders.find(id), { ...before, shippingAddress: blank })
    }
    const all = await wholeDatabase()
    const { country: _, ...personal } = address
    for (const text of Object.values(personal)) assert.ok(!all.includes(text), text)
  })

  test('blanks no order of anyone else', async () => {
    const [customer, other] = [someone(), someone()]
    const order = await service().createOrder(other, input())
    await erase(customer)
    assert.deepEqual(await store.findOrders([order.id]), [order])
  })

  test('takes unfinished claims away, and from the others what the address was hashed into', async () => {
    const customer = someone()
    const { id } = await service().createOrder(customer, input())
    const at = new Date()
    const claim = { customerId: customer.sub, inputHash: 'h', token: randomUUID(), at, until: at, mostUnpaid: 20 }
    await store.claim({ ...claim, idempotencyKey: 'unfinished', orderId: randomUUID() })
    await erase(customer)
    assert.deepEqual(await rows('SELECT order_id, input_hash FROM claims'), [{ order_id: id, input_hash: '' }])
  })

  test('that arrives twice, also at the same time, has its effect once', async () => {
    const customer = someone()
    const order = await service().createOrder(customer, input())
    const event = randomUUID()
    await Promise.all([1, 2, 3, 4].map(() => erase(customer, event)))
    await erase(customer, event)
    await erase(customer)
    const after = await orders.find(order.id)
    assert.deepEqual([after.status, after.history.length, after.shippingAddress], ['CANCELLED', 2, blank])
    assert.deepEqual(await orders.eventsOf(order.id), ['order.created', 'order.cancelled'])
    assert.equal((await rows('SELECT FROM erasures')).length, 1)
    assert.equal((await rows('SELECT FROM inbox')).length, 2)
  })

  /** Adds orders that were delivered before this one was placed, each with a claim. */
  async function addDelivered(id: string, many: number): Promise<void> {
    await orders.sql(
      `INSERT INTO orders SELECT (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(), 'number', n::text,
         'status', 'DELIVERED', 'created_at', o.created_at - n * interval '1 second'))).*
       FROM orders o, generate_series(1, $2::int) n WHERE o.id = $1`,
      [id, many],
    )
    await orders.sql(`
      INSERT INTO claims SELECT customer_id, number, 'h', id, gen_random_uuid(), now(), now() FROM orders
      WHERE status = 'DELIVERED'`)
  }
  const blanked = async () => (await rows("SELECT FROM orders WHERE ship_name = 'erased'")).length

  test('of many orders changes no more than a batch of them, or of claims, in one transaction', async () => {
    const customer = someone()
    const { id } = await service().createOrder(customer, input())
    await addDelivered(id, 4_000)
    await erase(customer)
    assert.equal(await blanked(), 4_001)
    assert.equal((await rows("SELECT FROM claims WHERE input_hash = ''")).length, 4_001)
    for (const table of ['orders', 'claims']) {
      const changes = await rows(`SELECT count(*)::int AS n FROM ${table} GROUP BY xmin::text`)
      for (const { n } of changes) assert.ok(n <= erasureBatch, `${n} ${table} at once`)
    }
  })

  test('that ends between two batches keeps its mark, is not handled, and is completed by its repeat', async () => {
    const customer = someone()
    const { id } = await service().createOrder(customer, input())
    await addDelivered(id, 3 * erasureBatch)
    await orders.sql(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON orders FOR EACH ROW WHEN (OLD.number = '${2 * erasureBatch}')
      EXECUTE FUNCTION refuse()`)
    const event = randomUUID()
    await assert.rejects(erase(customer, event))
    await orders.sql('DROP TRIGGER refuse ON orders')
    assert.equal(await blanked(), 2 * erasureBatch)
    assert.equal((await rows('SELECT FROM inbox')).length, 0)
    await assert.rejects(service().createOrder(customer, input()), { code: 'UNAUTHENTICATED' })
    await erase(customer, event)
    assert.equal(await blanked(), 3 * erasureBatch + 1)
    assert.equal((await rows('SELECT FROM inbox')).length, 1)
    assert.deepEqual(await orders.eventsOf(id), ['order.created', 'order.cancelled'])
  })

  test('does not keep an order whose hold ends from being cancelled', async () => {
    const customer = someone()
    const { id } = await service().createOrder(customer, input())
    await erase(customer)
    await service().reservationExpired(randomUUID(), id)
    const [order] = await store.findOrders([id])
    assert.equal(order?.status, 'CANCELLED')
    assert.deepEqual(order?.shippingAddress, blank)
  })
})

describe('an order that is under way while the account is erased', () => {
  const refused = { code: 'UNAUTHENTICATED' }
  const waiting = (n: number) =>
    waitFor(`${n} transactions that wait`, async () => (await rows(lockWaits)).length === n)
  const nothingIsLeft = async () => {
    assert.deepEqual(await rows('SELECT FROM orders'), [])
    assert.deepEqual(await rows('SELECT FROM claims'), [])
    assert.deepEqual(await rows('SELECT FROM outbox'), [])
  }

  test('is refused when the account was there and its key is not claimed yet', async () => {
    const customer = someone()
    const users = { requireUser: () => erase(customer) }
    await assert.rejects(service({ users }).createOrder(customer, input()), refused)
    assert.deepEqual(states(), [])
    await nothingIsLeft()
  })

  test('is refused when its key is claimed, and what it held is released at once', async () => {
    const customer = someone()
    const late: OrdersStore = {
      ...store,
      async place(...args) {
        await erase(customer)
        return store.place(...args)
      },
    }
    await assert.rejects(service({ store: late }).createOrder(customer, input()), refused)
    assert.deepEqual(states(), ['released'])
    await nothingIsLeft()
  })

  test('releases what may be held when products did not answer', async () => {
    const customer = someone()
    const lost: Products = {
      ...products,
      async reserve(orderId, items) {
        await products.reserve(orderId, items)
        await erase(customer)
        throw new ServiceError('SUBGRAPH_TIMEOUT', 'late')
      },
    }
    await assert.rejects(service({ products: lost }).createOrder(customer, input()), { code: 'SUBGRAPH_TIMEOUT' })
    assert.deepEqual(states(), ['released'])
    await nothingIsLeft()
  })

  /** Places an order while its customer is erased: it pauses with what it writes to a table, and the erasure waits for it. */
  async function placeDuringErasure(table: 'claims' | 'orders'): Promise<unknown> {
    const customer = someone()
    await orders.sql(`
      CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(1); RETURN NEW;
      END $$;
      CREATE TRIGGER pause AFTER INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION pause()`)
    await orders.sql('SELECT pg_advisory_lock(1)')
    const outcome = service()
      .createOrder(customer, input())
      .catch((error: unknown) => error)
    let erasure: Promise<void> | undefined
    try {
      await waiting(1)
      erasure = erase(customer)
      await waiting(2)
    } finally {
      await orders.sql('SELECT pg_advisory_unlock(1)')
      await Promise.all([outcome, erasure])
      await orders.sql(`DROP TRIGGER pause ON ${table}`)
    }
    return outcome
  }

  test('is waited for when its key is being claimed, and is blanked or not placed', async () => {
    await placeDuringErasure('claims')
    assert.equal((await rows("SELECT FROM orders WHERE ship_name <> 'erased'")).length, 0)
    assert.equal((await rows('SELECT FROM claims WHERE completed_at IS NULL')).length, 0)
  })

  test('is waited for when it is being written, and is blanked', async () => {
    const { id } = (await placeDuringErasure('orders')) as { id: string }
    assert.deepEqual((await store.findOrders([id]))[0]?.shippingAddress, blank)
    assert.deepEqual(states(), ['held'])
  })

  test('is blanked or not placed, whenever the erasure comes', async () => {
    /** Places an order, while an erasure begins at one of its steps. */
    async function attempt(beginsAt: 'account' | 'stock' | 'order'): Promise<unknown> {
      const customer = someone()
      let erasure: Promise<void> | undefined
      const reach = (step: typeof beginsAt) => {
        if (step === beginsAt) erasure ??= erase(customer)
      }
      const racing = service({
        users: { requireUser: async () => reach('account') },
        products: {
          ...products,
          async reserve(...args) {
            reach('stock')
            return products.reserve(...args)
          },
        },
        store: {
          ...store,
          async place(...args) {
            reach('order')
            return store.place(...args)
          },
        },
      })
      const placed = await racing.createOrder(customer, input()).then(
        () => 'placed',
        (error: unknown) => (error instanceof ServiceError ? error.code : error),
      )
      await erasure
      return placed
    }
    const attempts: unknown[] = []
    // Few enough at once that none waits for a connection.
    while (attempts.length < 60) {
      attempts.push(...(await Promise.all((['account', 'stock', 'order', 'order'] as const).map(attempt))))
    }
    for (const outcome of attempts) assert.ok(outcome === 'placed' || outcome === 'UNAUTHENTICATED', String(outcome))
    const placed = attempts.filter((outcome) => outcome === 'placed').length
    assert.equal((await rows("SELECT FROM orders WHERE ship_name = 'erased'")).length, placed)
    assert.equal((await rows("SELECT FROM orders WHERE ship_name <> 'erased'")).length, 0)
    assert.equal((await rows('SELECT FROM claims WHERE completed_at IS NULL')).length, 0)
    assert.equal(states().filter((state) => state === 'held').length, placed)
  })

  test('is refused when it is repeated, also with the key of an order that is there', async () => {
    const customer = someone()
    const asked = input()
    await service().createOrder(customer, asked)
    await erase(customer)
    await assert.rejects(service().createOrder(customer, asked), refused)
    assert.equal((await rows('SELECT FROM orders')).length, 1)
  })
})
