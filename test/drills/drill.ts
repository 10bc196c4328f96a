import assert from 'node:assert/strict'

/** A run with faults or load that prints its figures and fails on any that must not be. */
export type Drill = {
  summary: string
  /** A drill that draws at random draws the same again for the same `seed`. */
  run(options: { short: boolean; print: (line: string) => void; seed?: number }): Promise<void>
}

/** The value below which `share` of the values lie. Throws where there is none. */
export function percentile(values: readonly number[], share: number): number {
  assert.ok(values.length > 0, 'there are values')
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** What must hold of stock after any run, in one place: products against their ledger and their holds. */
export const stockQuery = `
  SELECT p.id, p.available,
         (SELECT coalesce(sum(e.delta), 0)::int FROM stock_entries e WHERE e.product_id = p.id) AS ledger,
         (SELECT coalesce(sum(l.quantity), 0)::int FROM reservation_lines l JOIN reservations r USING (order_id)
          WHERE l.product_id = p.id AND r.status = 'HELD') AS held,
         (SELECT coalesce(sum(e.delta), 0)::int FROM stock_entries e WHERE e.product_id = p.id AND e.reason = 'INITIAL') AS initial
  FROM products p WHERE p.id = ANY($1)`
