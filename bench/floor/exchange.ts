import type { ServiceName } from '../../tools/services.ts'
import type { Kind } from '../shop/mix.ts'

/** Statements of one service, each for itself: reads of a row by its key, and writes of one, which commit. */
export type Statements = { reads?: number; writes?: number }
/** A call of a service, with what it does before its answer and after it. */
export type Call = Statements & { to: ServiceName; hashes?: number; bytes: number; later?: Statements }

/**
 * The messages of each kind of request, as the shop was seen to send them (`npm run bench:shop` counts fetches, RPCs and
 * statements): the calls of services, one after the other whoever makes them in earnest, and the statements of all processes, those of
 * outboxes, of the event log and of notifications among them.
 */
export const exchange: Record<Kind, Call[]> = {
  'product page': [{ to: 'products', reads: 1, bytes: 1_500 }],
  search: [{ to: 'products', reads: 1, bytes: 8_000 }],
  'order history': [
    { to: 'users', reads: 1, bytes: 200 },
    { to: 'orders', reads: 1, bytes: 5_000 },
    { to: 'products', bytes: 2_000 },
  ],
  createOrder: [
    { to: 'users', reads: 1, bytes: 200 },
    { to: 'products', writes: 1, bytes: 400 },
    { to: 'orders', writes: 2, bytes: 600, later: { reads: 3, writes: 5 } },
  ],
  payOrder: [
    { to: 'orders', reads: 1, bytes: 300 },
    { to: 'payments', reads: 1, writes: 1, bytes: 300 },
    { to: 'payments', writes: 1, bytes: 300 },
    { to: 'products', writes: 1, bytes: 100 },
    { to: 'payments', reads: 1, writes: 1, bytes: 600, later: { reads: 5, writes: 8 } },
  ],
  login: [{ to: 'users', reads: 1, writes: 1, hashes: 1, bytes: 900, later: { reads: 2, writes: 4 } }],
}

/** Rows of the table, and bytes of each. */
export const rows = 100_000
export const rowBytes = 200
/** Bytes of a client's request: about those of a recorded operation. */
export const requestBytes = 1_000
