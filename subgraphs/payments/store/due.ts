import type { PrismaClient } from '#generated/prisma/payments/client.ts'
import type { Payment } from '../domain/payment.ts'
import type { Refund } from '../domain/refund.ts'
import { toPayment, toRefund } from './rows.ts'

/**
 * Which of what is pending is taken, and when it is due again unless it is settled before: `pause` milliseconds after the
 * first time, twice as long after each next one, up to `longestPause`.
 */
export type Due = { limit: number; at: Date; pause: number; longestPause: number }

/** What the provider has to be asked about. What is taken here nobody else takes, until its pause is over. */
export function dueStore(prisma: PrismaClient) {
  return {
    /** Takes payments that have been pending for too long. `closed`: whether their order ended. */
    async takeDuePayments({ limit, at, pause, longestPause }: Due): Promise<{ payment: Payment; closed: boolean }[]> {
      const taken = await prisma.$queryRaw<{ id: string; closed: boolean }[]>`
        WITH due AS (
          SELECT id FROM payments WHERE status = 'PENDING' AND next_look_at <= ${at}
          ORDER BY next_look_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        )
        UPDATE payments SET looks = looks + 1,
          next_look_at = ${at}::timestamptz + LEAST(${longestPause}, ${pause} * 2 ^ LEAST(looks, 30)) * interval '1 ms'
        FROM due WHERE payments.id = due.id
        RETURNING payments.id, EXISTS (SELECT FROM closed_orders c WHERE c.order_id = payments.order_id) AS closed`
      if (taken.length === 0) return []
      const closed = new Map(taken.map((row) => [row.id, row.closed]))
      const rows = await prisma.payment.findMany({ where: { id: { in: [...closed.keys()] } } })
      return rows.map((row) => ({ payment: toPayment(row), closed: closed.get(row.id) ?? false }))
    },

    /** Takes refunds that the provider has not settled. */
    async takeDueRefunds({ limit, at, pause, longestPause }: Due): Promise<{ payment: Payment; refund: Refund }[]> {
      const taken = await prisma.$queryRaw<{ id: string }[]>`
        WITH due AS (
          SELECT id FROM refunds WHERE status = 'PENDING' AND next_attempt_at <= ${at}
          ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        )
        UPDATE refunds SET attempts = attempts + 1,
          next_attempt_at = ${at}::timestamptz + LEAST(${longestPause}, ${pause} * 2 ^ LEAST(attempts, 30)) * interval '1 ms'
        FROM due WHERE refunds.id = due.id RETURNING refunds.id`
      if (taken.length === 0) return []
      const rows = await prisma.refund.findMany({
        where: { id: { in: taken.map(({ id }) => id) } },
        include: { payment: true },
      })
      return rows.map(({ payment, ...row }) => ({ payment: toPayment(payment), refund: toRefund(row) }))
    },
  }
}
