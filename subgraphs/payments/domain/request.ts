import { createHash } from 'node:crypto'
import { badInput, notFound } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'

/** What a customer asks for, by the rules, and what tells whether two ask for the same. */
export type PayRequest = {
  readonly orderId: string
  readonly method: string
  readonly idempotencyKey: string
  readonly inputHash: string
}

/** The same of a refund. `amount`: null for all that is left. */
export type RefundInput = {
  readonly paymentId: string
  readonly amount: number | null
  readonly reason: string
  readonly idempotencyKey: string
  readonly inputHash: string
}

/** A provider's name of a means of payment, as far as one can tell that knows no provider. */
const methodShape = /^[\w-]{1,200}$/

/** Reads what a customer asks for. Throws BAD_USER_INPUT, or NOT_FOUND for what cannot be an order. */
export function parsePayRequest(input: { orderId: string; paymentMethod: string; idempotencyKey: string }): PayRequest {
  const idempotencyKey = parseText('idempotencyKey', input.idempotencyKey, 200)
  const method = input.paymentMethod
  if (!methodShape.test(method)) throw badInput('paymentMethod', 'This is not the name of a means of payment.')
  const orderId = parseId(input.orderId)
  if (!orderId) throw notFound('order')
  return { orderId, method, idempotencyKey, inputHash: hash([orderId, method]) }
}

/** Reads what a manager asks for. Throws BAD_USER_INPUT, or NOT_FOUND for what cannot be a payment. */
export function parseRefundRequest(input: {
  paymentId: string
  amount?: number | null
  reason: string
  idempotencyKey: string
}): RefundInput {
  const idempotencyKey = parseText('idempotencyKey', input.idempotencyKey, 200)
  const reason = parseText('reason', input.reason, 200)
  const amount = input.amount ?? null
  if (amount !== null && amount < 1) throw badInput('amount', 'A refund is at least 1.')
  const paymentId = parseId(input.paymentId)
  if (!paymentId) throw notFound('payment')
  return { paymentId, amount, reason, idempotencyKey, inputHash: hash([paymentId, amount, reason]) }
}

function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
