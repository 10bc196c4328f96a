import type { Locks } from '#platform/lock.ts'
import type { ProductsStore } from '../store.ts'
import type { Reading } from './reading.ts'

export type ProductsDependencies = {
  store: ProductsStore
  reading: Reading
  /** Keep changes of one stock by several people apart. Their tokens are the fencing tokens of the store. */
  locks: Locks
  /** Milliseconds that items are held for an order. */
  holdTime: number
  /** Whether it can be told now that a hold ended, and the database is there. */
  canTell: () => Promise<boolean>
  /** The stock at which `stock.low` is told of. */
  lowStock: number
  now: () => Date
  newId: () => string
}
