import { badInput, ServiceError } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'
import type { Product } from './catalogue.ts'

/** Why stock changed. INITIAL is what the shop began with, ADJUSTED what people corrected; the rest is what orders did. */
export type StockReason = 'INITIAL' | 'RESERVED' | 'COMMITTED' | 'RELEASED' | 'EXPIRED' | 'RETURNED' | 'ADJUSTED'

/** The stock of a product after a change. */
export type StockLevel = Pick<Product, 'sku' | 'name'> & {
  readonly productId: string
  readonly before: number
  readonly available: number
  /** Counts the changes of the product's stock. */
  readonly stockVersion: number
  readonly archived: boolean
}

/** A change of stock that somebody asks for. */
export type Adjustment = {
  readonly productId: string
  /** How many come, or go where it is negative. */
  readonly delta: number
  /** Why, in words. */
  readonly note: string
  readonly idempotencyKey: string
}

/** The same as it was asked for. */
export type AdjustmentInput = Omit<Adjustment, 'note'> & { readonly reason: string }

const largestDelta = 1_000_000
/** Not all that GraphQL's Int and the database hold: what is held or sold comes on top when it is put back, which must never fail. */
const largestStock = 1_000_000_000

/** Reads an adjustment. Undefined for what cannot be a product. Throws BAD_USER_INPUT. */
export function parseAdjustment({ productId, delta, reason, idempotencyKey }: AdjustmentInput): Adjustment | undefined {
  if (!Number.isInteger(delta) || delta === 0 || Math.abs(delta) > largestDelta) {
    throw badInput('delta', `A change is 1 to ${largestDelta}, up or down.`)
  }
  if (!reason.isWellFormed()) throw badInput('reason', 'This is not Unicode text.')
  if (!idempotencyKey.isWellFormed()) throw badInput('idempotencyKey', 'This is not Unicode text.')
  const note = parseText('reason', reason, 200)
  const key = parseText('idempotencyKey', idempotencyKey, 200)
  const id = parseId(productId)
  return id === undefined ? undefined : { productId: id, delta, note, idempotencyKey: key }
}

/** Refuses an adjustment that its product's stock does not allow. Throws INSUFFICIENT_STOCK or BAD_USER_INPUT. */
export function requireRoom({ productId, delta }: Adjustment, available: number): void {
  if (available + delta < 0) {
    throw new ServiceError('INSUFFICIENT_STOCK', `There are only ${available}.`, {
      items: [{ productId, requested: -delta, available }],
    })
  }
  if (available + delta > largestStock) throw badInput('delta', `A stock is at most ${largestStock}.`)
}

/** Refuses a key under which something else was asked for. Throws IDEMPOTENCY_KEY_REUSED. */
export function requireSame(asked: Adjustment, before: Adjustment): void {
  const same = (['productId', 'delta', 'note'] as const).every((field) => asked[field] === before[field])
  if (!same) throw new ServiceError('IDEMPOTENCY_KEY_REUSED', 'Another change of stock was asked for under this key.')
}

/** Whether a change has just made the stock of something that is for sale low: it was above the threshold before. */
export function hasRunLow({ before, available, archived }: StockLevel, threshold: number): boolean {
  return !archived && before > threshold && available <= threshold
}
