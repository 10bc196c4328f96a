import type { Prisma } from '#generated/prisma/orders/client.ts'
import { appendToOutbox } from '#platform/outbox.ts'
import type { Order } from '../domain/order.ts'
import { type NewEvent, numbered, toOrder, whole } from './rows.ts'

export type Transaction = Prisma.TransactionClient

/** What a change makes of an order, and the events that tell of it. */
export type Change = { readonly order: Order; readonly events: readonly NewEvent[] }

/** Says what becomes of an order as it is now. Nothing is written when that is nothing. */
export type Decide = (order: Order) => Change | undefined

/**
 * Locks an order, lets `decide` say what becomes of it, and writes the order and its events together. Returns it as it is
 * then; undefined where there is none.
 */
export async function applyChange(tx: Transaction, orderId: string, decide: Decide): Promise<Order | undefined> {
  const [locked] = await tx.$queryRaw<{ sequence: number }[]>`
    SELECT sequence FROM orders WHERE id = ${orderId}::uuid FOR NO KEY UPDATE`
  if (!locked) return undefined
  const before = await requireOrder(tx, orderId)
  const change = decide(before)
  if (!change) return before
  const { order, events } = change
  const transitions = order.history.map((entry, position) => ({ ...entry, position })).slice(before.history.length)
  const { status, cancelReason, trackingNumber, updatedAt } = order
  await tx.order.update({
    where: { id: orderId },
    data: {
      ...{ status, cancelReason, trackingNumber, updatedAt },
      sequence: locked.sequence + events.length,
      history: { createMany: { data: transitions } },
    },
    select: { id: true },
  })
  await appendToOutbox(tx, numbered(events, locked.sequence), updatedAt)
  return order
}

export async function requireOrder(tx: Transaction, id: string): Promise<Order> {
  return toOrder(await tx.order.findUniqueOrThrow({ where: { id }, ...whole }))
}
