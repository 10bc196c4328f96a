import { ServiceError } from '#platform/errors.ts'
import type { Actor, Money, Order, OrderStatus } from './order.ts'

/**
 * The life of an order after it was placed. Each move takes an order as it is and returns it as it is then, or nothing when
 * there is nothing to do; a move that its life does not allow is refused, never ignored.
 */

/** Where each status may go. Everything else is refused. */
const next: Record<OrderStatus, readonly OrderStatus[]> = {
  PENDING: ['PAID', 'CANCELLED'],
  PAID: ['SHIPPED', 'CANCELLED'],
  SHIPPED: ['DELIVERED'],
  DELIVERED: [],
  CANCELLED: [],
}

/** Why the shop itself cancels an order. Customers and staff give reasons of their own. */
export const cancelReasons = {
  /** Its hold ended before it was paid. */
  expired: 'EXPIRED',
  /** All that was paid was given back before it was shipped, perhaps before the payment was heard of. */
  refunded: 'REFUNDED',
  /** Its customer's account was erased, and with it where it goes. */
  erased: 'ACCOUNT_ERASED',
  /** Somebody asked for it without a reason. */
  requested: 'REQUESTED',
} as const

/** The shop's own processes. */
export const system: Actor = { by: 'SYSTEM', byId: null }

/** When, by whom and why. */
export type Move = { readonly at: Date; readonly actor: Actor; readonly reason?: string | null }

/** Moves an order on. Throws ILLEGAL_TRANSITION. */
export function transition(order: Order, to: OrderStatus, { at, actor, reason = null }: Move): Order {
  if (!next[order.status].includes(to)) {
    throw new ServiceError('ILLEGAL_TRANSITION', `An order that is ${order.status} cannot become ${to}.`)
  }
  return {
    ...order,
    status: to,
    history: [...order.history, { from: order.status, to, at, reason, ...actor }],
    cancelReason: to === 'CANCELLED' ? reason : order.cancelReason,
    updatedAt: at,
  }
}

/** Writes into the history what does not change the status. */
function note(order: Order, { at, actor, reason = null }: Move): Order {
  const entry = { from: order.status, to: order.status, at, reason, ...actor }
  return { ...order, history: [...order.history, entry], updatedAt: at }
}

/** Ends an order that is not shipped yet. Nothing for one that has ended so. */
export function cancel(order: Order, move: Move): Order | undefined {
  return order.status === 'CANCELLED' ? undefined : transition(order, 'CANCELLED', move)
}

/** Hands a paid order to the carrier. Nothing for one that is shipped or delivered. */
export function ship(order: Order, trackingNumber: string, move: Move): Order | undefined {
  if (order.status === 'SHIPPED' || order.status === 'DELIVERED') return undefined
  return { ...transition(order, 'SHIPPED', move), trackingNumber }
}

/** The customer has it. Nothing for one that is delivered. */
export function deliver(order: Order, move: Move): Order | undefined {
  return order.status === 'DELIVERED' ? undefined : transition(order, 'DELIVERED', move)
}

/** It is paid and its items are sold. Nothing for one that was cancelled meanwhile: what was paid is given back. */
export function pay(order: Order, at: Date): Order | undefined {
  return order.status === 'PENDING' ? transition(order, 'PAID', { at, actor: system }) : undefined
}

/** Its items are held no longer. Nothing for one that does not wait for a payment. */
export function expire(order: Order, at: Date): Order | undefined {
  if (order.status !== 'PENDING') return undefined
  return transition(order, 'CANCELLED', { at, actor: system, reason: cancelReasons.expired })
}

/** A payment was declined. It can be paid again. Nothing for one that does not wait for a payment any more. */
export function decline(order: Order, at: Date): Order | undefined {
  return order.status === 'PENDING' ? note(order, { at, actor: system, reason: 'PAYMENT_DECLINED' }) : undefined
}

/**
 * So much was given back: written down, and the order ends when that was all and it is not shipped yet, also when it is told
 * before the payment is: no other one is taken. Whoever ships at the same time either comes first, and it is shipped, or is
 * refused.
 */
export function refund(order: Order, { amount, currency }: Money, { full, at }: { full: boolean; at: Date }): Order {
  const noted = note(order, { at, actor: system, reason: `REFUNDED ${amount} ${currency}` })
  if (!full || !isOpen(order)) return noted
  return transition(noted, 'CANCELLED', { at, actor: system, reason: cancelReasons.refunded })
}

/** The account of an order's customer is erased. What is not shipped yet can go nowhere any more. */
export function close(order: Order, at: Date): Order | undefined {
  if (!isOpen(order)) return undefined
  return transition(order, 'CANCELLED', { at, actor: system, reason: cancelReasons.erased })
}

/** Whether it is not shipped yet, and not ended. */
function isOpen({ status }: Order): boolean {
  return status === 'PENDING' || status === 'PAID'
}
