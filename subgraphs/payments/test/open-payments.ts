import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { request } from 'undici'
import { openDatabase } from '#platform/database/open.ts'
import { createHealth } from '#platform/health.ts'
import { createHttpServer } from '#platform/http.ts'
import { silentLog as log } from '#platform/log.ts'
import { createLoop } from '#platform/loop.ts'
import { createMask } from '#platform/mask.ts'
import type { Principal } from '#platform/principal.ts'
import { lockWaits } from '../../../test/infra/locks.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { freePorts } from '../../../tools/infra/ports.ts'
import type { PayableOrder, Payment } from '../domain/payment.ts'
import { serveCallbacks } from '../providers/callback-route.ts'
import type { Provider } from '../providers/provider.ts'
import { createSandboxProvider } from '../providers/sandbox.ts'
import { createSandbox } from '../sandbox/sandbox.ts'
import { sign, signatureHeader } from '../sandbox/signature.ts'
import { createPaymentsService } from '../service.ts'
import { createPaymentsStore } from '../store.ts'

const person = { sid: null, anonymous: false, address: null }
export const customer: Principal = { ...person, sub: randomUUID(), scopes: [] }
export const manager: Principal = { ...person, sub: randomUUID(), scopes: ['orders:read', 'payments:refund'] }

/** The secret between the shop and its sandbox. */
export const secret = 'a secret of sixteen or more'
/** Milliseconds that the provider has before it is asked. */
const patience = 60_000

export type OpenPaymentsOptions = {
  /** A provider in place of the sandbox, or around it. */
  provider?: (sandbox: Provider) => Provider
  /** Where the sandbox sends its callbacks. Default: to the service. */
  webhookUrl?: string
  /** Comes before an order is found. Default: nothing. */
  beforeOrder?: () => Promise<void>
  /** Payments of one customer that may be declined in an hour. Default: more than there are. */
  mostDeclinedAnHour?: number
  /** The pauses between looks for an outcome. Default: they last as long as they are. */
  pause?: (milliseconds: number) => Promise<unknown>
}

/**
 * The payments service on a database of its own, with a sandbox that it meets over HTTP alone: asked there, called back here.
 */
export async function openPayments(options: OpenPaymentsOptions = {}) {
  const { provider = (own: Provider) => own, webhookUrl, beforeOrder, pause = sleep } = options
  const { mostDeclinedAnHour = 1_000_000 } = options
  const url = await createTestDatabase('payments')
  const database = openDatabase({ name: 'test', url, poolSize: 10, log })
  const store = createPaymentsStore(database.adapter)
  const pool = new pg.Pool({ connectionString: url, max: 5 })
  const sql = async (query: string, values: unknown[] = []) => (await pool.query(query, values)).rows
  const [port = 0] = await freePorts(1)
  const origin = `http://127.0.0.1:${port}`
  /** Milliseconds that the clock is ahead. */
  const clock = { ahead: 0 }
  const now = () => new Date(Date.now() + clock.ahead)
  const orders = new Map<string, PayableOrder>()
  const troubles: string[] = []

  const party = { secret, url: `${origin}/sandbox`, now }
  const sandbox = createSandbox({
    ...party,
    query: (text, values) => pool.query(text, values),
    webhookUrl: webhookUrl ?? `${origin}/webhooks/payments`,
    onWork: () => loop.wake(),
    onUndelivered() {},
  })
  const loop = createLoop({ name: 'sandbox', work: sandbox.turn, interval: 50, log })
  const own = createSandboxProvider({ ...party, timeout: 3_000 })

  const service = createPaymentsService({
    store,
    async findOrder(id) {
      await beforeOrder?.()
      return orders.get(id)
    },
    provider: provider(own),
    now,
    newId: randomUUID,
    patience,
    mostDeclinedAnHour: () => mostDeclinedAnHour,
    timeLeft: () => 5_000,
    sleep: pause,
    onDue() {},
    onUnanswered() {},
    onTrouble: (what) => troubles.push(what),
  })
  const app = createHttpServer({
    lifecycle: { ready: true, stopping: false, onStop() {} },
    health: createHealth([]),
    mask: createMask({ service: 'payments', log }),
    bodyLimit: 1024,
  })
  serveCallbacks(app, service.receiveCallback)
  sandbox.routes(app)
  await app.listen({ host: '127.0.0.1', port })
  loop.start()

  async function payment(id: string): Promise<Payment> {
    const [found] = await store.findPayments([id])
    if (!found) throw new Error('There is no such payment.')
    return found
  }

  return {
    url,
    service,
    store,
    sql,
    clock,
    orders,
    troubles,
    /** The sandbox, as the shop sees it. */
    sandbox: own,
    origin,
    payment,

    /** A new order of the customer's that waits to be paid. */
    order(given: Partial<PayableOrder> = {}): string {
      const id = given.id ?? randomUUID()
      const total = { amount: 10_000, currency: 'EUR' }
      const order = { id, number: 'K7QM-2W9D', customerId: customer.sub ?? '', status: 'PENDING', total }
      orders.set(id, { ...order, payableUntil: null, ...given })
      return id
    },
    pay: (orderId: string, paymentMethod = 'pm_card_visa', idempotencyKey: string = randomUUID()) =>
      service.payOrder(customer, { orderId, paymentMethod, idempotencyKey }),
    refund: (paymentId: string, amount?: number, idempotencyKey: string = randomUUID()) =>
      service.refundPayment(manager, { paymentId, amount: amount ?? null, reason: 'Asked for.', idempotencyKey }),
    cancel: (orderId: string, eventId: string = randomUUID()) => service.orderCancelled(eventId, orderId),
    /** Adds so many declined payments to an order, like one that it has. */
    async declined(orderId: string, count: number): Promise<void> {
      await sql(
        `INSERT INTO payments
        SELECT (jsonb_populate_record(p, jsonb_build_object(
          'id', gen_random_uuid(), 'idempotency_key', gen_random_uuid(), 'reference', gen_random_uuid()))).*
        FROM payments p, generate_series(1, $2)
        WHERE id = (SELECT id FROM payments WHERE order_id = $1 AND status = 'DECLINED' LIMIT 1)`,
        [orderId, count],
      )
    },
    /** Waits until a payment has a status. */
    until: (id: string, status: Payment['status']) =>
      waitFor(`the payment is ${status}`, async () => {
        const found = await payment(id)
        return found.status === status && found
      }),
    /** Asks the provider about all that is pending, as if the time for it had come. */
    async reconcile(): Promise<void> {
      clock.ahead += 2 * 3_600_000
      while (await service.reconcile());
    },
    /** What was told of an order's payments, in the order in which it was told. */
    async told(orderId: string): Promise<string[]> {
      const rows = await sql('SELECT type FROM outbox WHERE key = $1 ORDER BY id', [orderId])
      return rows.map(({ type }) => type)
    },
    /** How many transactions wait for a lock of this database. */
    waiting: async (): Promise<number> => (await sql(lockWaits)).length,
    /** The sandbox's books of a payment: what it took, and what it gave back. */
    async booked(paymentId: string): Promise<{ captured: number; refunds: number[] }> {
      const charges = await sql(`SELECT amount FROM sandbox.charges WHERE id = $1 AND status = 'captured'`, [paymentId])
      const refunds = await sql(`SELECT amount FROM sandbox.refunds WHERE charge_id = $1 AND status <> 'failed'`, [
        paymentId,
      ])
      const amounts = (rows: { amount: number }[]) => rows.map(({ amount }) => amount)
      return { captured: amounts(charges).reduce((sum, amount) => sum + amount, 0), refunds: amounts(refunds).sort() }
    },
    /** Sends a callback as the sandbox would, or with what is given of it. Returns the status. */
    async callback(body: string, given: { secret?: string; age?: number; header?: string } = {}): Promise<number> {
      const seconds = Math.floor(now().getTime() / 1000) - (given.age ?? 0)
      const signature = given.header ?? sign(given.secret ?? secret, body, seconds)
      const response = await request(`${origin}/webhooks/payments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [signatureHeader]: signature },
        body,
      })
      await response.body.dump()
      return response.statusCode
    },
    async close(): Promise<void> {
      await loop.stop()
      await Promise.all([app.close(), own.close(), sandbox.close()])
      await store.close()
      await Promise.all([database.close(), pool.end()])
    },
  }
}

export type Payments = Awaited<ReturnType<typeof openPayments>>

/** A callback of the sandbox about a payment. */
export function chargeCallback(payment: Payment, status: string, id: string = randomUUID()): string {
  const { amount, currency } = payment.amount
  const reference = payment.reference ?? `ch_${payment.id}`
  const charge = { id: payment.id, reference, amount, currency, status, reason: null }
  return JSON.stringify({ id: `evt_${id}`, about: 'charge', charge })
}
