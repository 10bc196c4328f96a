import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { ServiceError } from '#platform/errors.ts'
import { silentLog as log } from '#platform/log.ts'
import type { Principal } from '#platform/principal.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { type Order, orderNumber } from '../domain/order.ts'
import type { OrderInput } from '../domain/request.ts'
import type { OrdersDependencies, Products } from '../service/dependencies.ts'
import { createOrdersService } from '../service.ts'
import type { ErasureOptions } from '../store/erasure.ts'
import { createOrdersStore } from '../store.ts'

/** What became of what an order holds, as the products service would keep it. */
export type Hold = 'held' | 'sold' | 'released' | 'ended'

/** Somebody who is signed in. */
export function someone(...scopes: string[]): Principal & { sub: string } {
  return { sub: randomUUID(), sid: 's', scopes, anonymous: false, address: null }
}

export const address = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }
export const productId = randomUUID()
/** Until when everything is held. */
export const heldUntil = new Date('2100-01-01T00:00:00.123Z')

/** Two of a thing that costs 5 euros, under a new key. */
export const input = (changes: Partial<OrderInput> = {}): OrderInput => ({
  items: [{ productId, quantity: 2 }],
  shippingAddress: address,
  idempotencyKey: randomUUID(),
  ...changes,
})

/** The orders service on a database of its own, with peers that are of this process. */
export async function openOrders(options: ErasureOptions = {}) {
  const url = await createTestDatabase('orders')
  const database = openDatabase({ name: 'test', url, poolSize: 10, log })
  const store = createOrdersStore(database.adapter, options)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const holds = new Map<string, Hold>()

  const products: Products = {
    async reserve(orderId, items) {
      const hold = holds.get(orderId)
      if (hold !== undefined && hold !== 'held') throw new ServiceError('RESERVATION_ENDED', 'over')
      holds.set(orderId, 'held')
      const unitPrice = { amount: 500, currency: 'EUR' }
      return { lines: items.map((item) => ({ ...item, sku: 'S', name: 'Thing', unitPrice })), heldUntil }
    },
    async commit(orderId) {
      if (holds.get(orderId) === 'held') holds.set(orderId, 'sold')
      return holds.get(orderId) === 'sold'
    },
    async release(orderId) {
      holds.set(orderId, 'released')
    },
  }

  const service = (changes: Partial<OrdersDependencies> = {}) =>
    createOrdersService({
      store,
      users: { requireUser: async () => {} },
      products,
      now: () => new Date(),
      newId: randomUUID,
      newNumber: () => orderNumber(randomBytes(8)),
      leaseTime: 15_000,
      // No test but that of the limit is about it.
      mostUnpaid: () => 1_000_000,
      timeLeft: () => 5_000,
      sleep,
      onUnreleased() {},
      ...changes,
    })
  const sql = async (query: string, values: unknown[] = []) => (await client.query(query, values)).rows

  return {
    store,
    holds,
    products,
    service,
    sql,

    /** An order as it is now. */
    async find(id: string): Promise<Order> {
      const [order] = await store.findOrders([id])
      if (!order) throw new Error(`There is no order ${id}.`)
      return order
    },

    /** The types of the events that tell of an order, in their order. */
    async eventsOf(orderId: string): Promise<string[]> {
      const rows = await sql('SELECT type FROM outbox WHERE key = $1 ORDER BY id', [orderId])
      return rows.map(({ type }) => type)
    },

    /** Leaves nothing of what was. */
    async empty(): Promise<void> {
      holds.clear()
      await sql('TRUNCATE orders, claims, erasures, inbox, outbox CASCADE')
    },

    async close(): Promise<void> {
      await client.end()
      await store.close()
      await database.close()
    },
  }
}

export type Orders = Awaited<ReturnType<typeof openOrders>>
