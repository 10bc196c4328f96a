import { type Prisma, PrismaClient } from '#generated/prisma/payments/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import type { Database } from '#platform/database/open.ts'
import { recordInInbox } from '#platform/inbox.ts'
import { appendToOutbox, numbered } from '#platform/outbox.ts'
import { mostDeclined, type Payment } from './domain/payment.ts'
import { callbackStore, recordCallback } from './store/callbacks.ts'
import { dueStore } from './store/due.ts'
import { type Change, type Changed, type Locked, toPayment, toPaymentColumns, toRefund } from './store/rows.ts'
import { type Asked, changeUnlocked, insertPayment } from './store/unlocked.ts'

export type { Change, Changed, Locked } from './store/rows.ts'

type Transaction = Prisma.TransactionClient

/** What became of an attempt to add a payment. */
export type Addition =
  | 'added'
  | 'key taken'
  | 'order taken'
  | 'order closed'
  | 'declined too often'
  | 'customer declined'

/** The advisory locks by which payments of an order and its end take turns: those of `is_closed`, too. Any number of 32 bits. */
const orderLocks = 5_270_043

export function createPaymentsStore(adapter: Database['adapter']) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })

  const isClosed = async (orderId: string): Promise<boolean> =>
    (await prisma.closedOrder.findUnique({ where: { orderId } })) !== null

  return {
    /** Whether an order ended. */
    isClosed,
    ...dueStore(prisma),
    ...callbackStore(prisma),

    /** The payments that exist among the ids, of one customer where one is named. */
    async findPayments(ids: readonly string[], customerId?: string): Promise<Payment[]> {
      const rows = await prisma.payment.findMany({ where: { id: { in: [...ids] }, ...(customerId && { customerId }) } })
      return rows.map(toPayment)
    },

    /** Every payment of these orders, oldest first, of one customer where one is named. */
    async findByOrders(orderIds: readonly string[], customerId?: string): Promise<Payment[]> {
      const rows = await prisma.payment.findMany({
        where: { orderId: { in: [...orderIds] }, ...(customerId && { customerId }) },
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      })
      return rows.map(toPayment)
    },

    /** What a customer asked for under a key. */
    async findByKey(customerId: string, key: string): Promise<{ payment: Payment; inputHash: string } | undefined> {
      const row = await prisma.payment.findUnique({
        where: { customerId_idempotencyKey: { customerId, idempotencyKey: key } },
      })
      return row ? { payment: toPayment(row), inputHash: row.inputHash } : undefined
    },

    /** The id and the hash of the input of a refund that somebody asked for under a key. */
    findRefundByKey(requestedBy: string, idempotencyKey: string) {
      return prisma.refund.findUnique({
        where: { requestedBy_idempotencyKey: { requestedBy, idempotencyKey } },
        select: { id: true, paymentId: true, inputHash: true },
      })
    },

    /**
     * Adds a payment, with what is told of it, to an order that has none but declined ones, not too many of them, and is not
     * closed; none for a customer who was declined too often of late. From `lookAt` on the provider is asked what became of it.
     *
     * Guarantee: however many are added at the same time, an order has at most one payment that is not declined.
     */
    async add(payment: Payment, asked: Asked): Promise<Addition> {
      try {
        if ((await prisma.$executeRaw(insertPayment(payment, asked))) > 0) return 'added'
        const { orderId } = payment
        if (await isClosed(orderId)) return 'order closed'
        const declined = await prisma.payment.count({ where: { orderId, status: 'DECLINED' } })
        return declined < mostDeclined ? 'customer declined' : 'declined too often'
      } catch (error) {
        if (isUniqueViolation(error, 'payments_customer_id_idempotency_key_key')) return 'key taken'
        if (isUniqueViolation(error, 'payments_open_key')) return 'order taken'
        throw error
      }
    },

    /** When a payment of a customer was declined: the latest one but so many. Undefined where there are no more. */
    async findDecline(customerId: string, later: number): Promise<Date | undefined> {
      const row = await prisma.payment.findFirst({
        where: { customerId, status: 'DECLINED' },
        orderBy: { updatedAt: 'desc' },
        skip: later,
        select: { updatedAt: true },
      })
      return row?.updatedAt
    },

    /**
     * Lets `change` decide about a payment as it is, and writes the payment, its refunds and its events together. Asked again,
     * with the payment locked, where it has refunds or something else came first: only what is returned was written. Undefined
     * for a payment that is not there. A callback that is named has its effect once.
     */
    async change(
      id: string,
      change: (before: Locked) => Change | undefined,
      callback?: string,
    ): Promise<Changed | undefined> {
      const changed = await changeUnlocked(prisma, id, change, callback)
      if (changed) return changed
      return prisma.$transaction(async (tx) => {
        const before = await lockPayment(tx, id)
        if (!before) return undefined
        if (callback !== undefined && !(await recordCallback(tx, callback))) return { payment: before.payment }
        return applyChange(tx, before, change)
      })
    },

    /** Closes an order for good, and lets `change` decide about its payment that is not declined. Once. */
    async closeOrder(
      eventId: string,
      orderId: string,
      at: Date,
      change: (before: Locked) => Change | undefined,
    ): Promise<void> {
      await prisma.$transaction(async (tx) => {
        if (!(await recordInInbox(tx, eventId))) return
        // A payment that is being added is there after this, and one that begins later sees that the order is closed.
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${orderLocks}::int, hashtext(${orderId}::uuid::text))`
        // Before the payment is locked: one that is captured now is seen here, or sees this.
        await tx.$executeRaw`
          INSERT INTO closed_orders (order_id, closed_at) VALUES (${orderId}::uuid, ${at}) ON CONFLICT DO NOTHING`
        const [kept] = await tx.$queryRaw<{ id: string }[]>`
          SELECT id FROM payments WHERE order_id = ${orderId}::uuid AND status <> 'DECLINED'`
        const before = kept && (await lockPayment(tx, kept.id))
        if (before) await applyChange(tx, before, change)
        // The provider is asked to give up what is pending.
        await tx.payment.updateMany({ where: { orderId, status: 'PENDING' }, data: { nextLookAt: at } })
      })
    },

    close: () => prisma.$disconnect(),
  }
}

export type PaymentsStore = ReturnType<typeof createPaymentsStore>

/** All that decides about a payment, as it is once nobody else changes it. */
async function lockPayment(tx: Transaction, id: string): Promise<(Locked & { sequence: number }) | undefined> {
  const [locked] = await tx.$queryRaw<{ sequence: number }[]>`
    SELECT sequence FROM payments WHERE id = ${id}::uuid FOR UPDATE`
  if (!locked) return undefined
  const row = await tx.payment.findUniqueOrThrow({ where: { id } })
  const refunds = await tx.refund.findMany({ where: { paymentId: id }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] })
  const closed = (await tx.closedOrder.findUnique({ where: { orderId: row.orderId } })) !== null
  return { payment: toPayment(row), refunds: refunds.map(toRefund), closed, sequence: locked.sequence }
}

async function applyChange(
  tx: Transaction,
  { sequence, ...before }: Locked & { sequence: number },
  change: (before: Locked) => Change | undefined,
): Promise<Changed> {
  const written = change(before)
  if (!written) return { payment: before.payment }
  const { payment, refunds = [], refundsDue, events } = written
  await tx.payment.update({
    where: { id: payment.id },
    data: { ...toPaymentColumns(payment), sequence: sequence + events.length },
    select: { id: true },
  })
  for (const refund of refunds) {
    const { id, status, reference, failure, updatedAt } = refund
    await tx.refund.upsert({
      where: { id },
      create: { ...refund, nextAttemptAt: refundsDue ?? refund.createdAt },
      update: { status, reference, failure, updatedAt },
      select: { id: true },
    })
  }
  await appendToOutbox(tx, numbered(events, sequence), payment.updatedAt)
  return { payment, written }
}
