import { type Payment as PaymentRow, Prisma, type PrismaClient } from '#generated/prisma/payments/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import { type NewEvent, numbered, outboxInsert } from '#platform/outbox.ts'
import { declineTime, mostDeclined, type Payment } from '../domain/payment.ts'
import { recordCallback } from './callbacks.ts'
import { type Change, type Changed, type Locked, toPayment, toPaymentColumns } from './rows.ts'

/** What becomes of most payments, each in one statement that holds its locks no longer than it takes. */

/** What a new payment is written with. */
export type Asked = {
  idempotencyKey: string
  inputHash: string
  lookAt: Date
  /** Payments of the customer that may have been declined in the hour before. */
  mostDeclinedAnHour: number
  /** What is told of one that is settled already. */
  events: readonly NewEvent[]
}

/** Adds a payment where its order is not closed, and neither that nor its customer declined too often. It affects one row or none. */
export function insertPayment(payment: Payment, asked: Asked): Prisma.Sql {
  const { idempotencyKey, inputHash, lookAt, mostDeclinedAnHour, events } = asked
  const { id, orderId, orderNumber, customerId, amount, createdAt } = payment
  const { status, refundedAmount, method, declineReason, nextActionUrl, reference, updatedAt } =
    toPaymentColumns(payment)
  const since = new Date(createdAt.getTime() - declineTime)
  const insert = Prisma.sql`
    INSERT INTO payments (id, order_id, order_number, customer_id, idempotency_key, input_hash, status, amount, currency,
      refunded_amount, method, decline_reason, next_action_url, reference, sequence, next_look_at, created_at, updated_at)
    SELECT ${id}::uuid, ${orderId}::uuid, ${orderNumber}, ${customerId}::uuid, ${idempotencyKey}, ${inputHash},
      ${status}::payment_status, ${amount.amount}::int, ${amount.currency}, ${refundedAmount}::int, ${method}, ${declineReason},
      ${nextActionUrl}, ${reference}, ${events.length}::int, ${lookAt}::timestamptz, ${createdAt}::timestamptz,
      ${updatedAt}::timestamptz
    WHERE NOT is_closed(${orderId}::uuid) AND ${mostDeclined} >
      (SELECT count(*) FROM payments WHERE order_id = ${orderId}::uuid AND status = 'DECLINED')
      AND ${mostDeclinedAnHour}::int > (SELECT count(*) FROM (
        SELECT FROM payments WHERE customer_id = ${customerId}::uuid AND status = 'DECLINED' AND updated_at > ${since}::timestamptz
        LIMIT ${mostDeclinedAnHour}::int) AS recent)`
  if (events.length === 0) return insert
  return Prisma.sql`
    WITH added AS (${insert} RETURNING id AS payment_id),
    told AS (${outboxInsert(Prisma.sql, numbered(events, 0), updatedAt, Prisma.sql`added`)})
    SELECT pg_notify('outbox', '') FROM added`
}

type Version = Locked & { readonly sequence: number; readonly version: string }

/**
 * Lets `change` decide about a payment as it is read, and writes that, if the payment still is as it was read. Undefined where it
 * is not, or has to do with refunds, or is not there; then nothing is written. A callback that is named has its effect once.
 */
export async function changeUnlocked(
  prisma: PrismaClient,
  id: string,
  change: (before: Locked) => Change | undefined,
  callback: string | undefined,
): Promise<Changed | undefined> {
  const before = await read(prisma, id, callback)
  if (!before || before.refunded) return undefined
  if (before.handled) return { payment: before.payment }
  const written = change(before)
  if (!written) {
    if (callback !== undefined) await recordCallback(prisma, callback)
    return { payment: before.payment }
  }
  if (written.refunds) return undefined
  try {
    const rows = await prisma.$executeRaw(writing(before, written, callback))
    return rows > 0 ? { payment: written.payment, written } : undefined
  } catch (error) {
    // A twin of the callback came first.
    if (isUniqueViolation(error, 'callbacks_pkey')) return undefined
    throw error
  }
}

/** `refunded`: whether it has refunds. `handled`: whether the callback had its effect before. */
async function read(
  prisma: PrismaClient,
  id: string,
  callback: string | undefined,
): Promise<(Version & { refunded: boolean; handled: boolean }) | undefined> {
  type Row = PaymentRow & { version: string; refunded: boolean; handled: boolean; closed: boolean }
  const [row] = await prisma.$queryRaw<Row[]>`
    SELECT id, order_id AS "orderId", order_number AS "orderNumber", customer_id AS "customerId", status, amount, currency,
      refunded_amount AS "refundedAmount", method, decline_reason AS "declineReason", next_action_url AS "nextActionUrl",
      reference, sequence, created_at AS "createdAt", updated_at AS "updatedAt", xmin::text AS version,
      EXISTS (SELECT FROM refunds r WHERE r.payment_id = p.id) AS refunded,
      EXISTS (SELECT FROM closed_orders c WHERE c.order_id = p.order_id) AS closed,
      EXISTS (SELECT FROM callbacks c WHERE c.id = ${callback ?? null}::text) AS handled
    FROM payments p WHERE id = ${id}::uuid`
  if (!row) return undefined
  const { sequence, version, refunded, handled, closed } = row
  return { payment: toPayment(row), refunds: [], sequence, version, refunded, handled, closed }
}

/** One statement that affects one row, or none where the payment is no longer of this version or its order ended meanwhile. */
function writing(before: Version, { payment, events }: Change, callback: string | undefined): Prisma.Sql {
  const { status, refundedAmount, method, declineReason, nextActionUrl, reference, updatedAt } =
    toPaymentColumns(payment)
  const handled = Prisma.sql`, handled AS (INSERT INTO callbacks (id) SELECT ${callback}::text FROM changed)`
  const told = Prisma.sql`,
    told AS (${outboxInsert(Prisma.sql, numbered(events, before.sequence), updatedAt, Prisma.sql`changed`)})`
  return Prisma.sql`
    WITH changed AS (
      UPDATE payments SET status = ${status}::payment_status, refunded_amount = ${refundedAmount}::int, method = ${method},
        decline_reason = ${declineReason}, next_action_url = ${nextActionUrl}, reference = ${reference},
        updated_at = ${updatedAt}::timestamptz, sequence = ${before.sequence + events.length}::int
      WHERE id = ${payment.id}::uuid AND xmin = ${before.version}::xid AND is_closed(order_id) = ${before.closed}::boolean
      RETURNING id AS payment_id
    )${callback === undefined ? Prisma.empty : handled}${events.length === 0 ? Prisma.empty : told}
    SELECT ${events.length === 0 ? Prisma.sql`1` : Prisma.sql`pg_notify('outbox', '')`} FROM changed`
}
