/**
 * `npm run bench:orders`: the write path alone: orders placed, paid, captured by the provider's callback and told of. The same
 * arguments as `bench:shop`; two requests are one order. End to end is what placing it takes, and from when it was meant to be paid to the
 * commit of the notification that it is. Linux only.
 */
import { percentile } from '../test/drills/drill.ts'
import { parseArguments } from './shop/arguments.ts'
import type { Ran } from './shop/generator.ts'
import { ordersMix } from './shop/mix.ts'
import { measureRates, type Session, withShop, writeResults } from './shop/session.ts'

const told = `
  SELECT order_id AS id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 AS at
  FROM notifications WHERE type = 'ORDER_PAID'`

try {
  const args = parseArguments(process.argv.slice(2))
  if (args.mode === 'soak' || args.mode === 'compare') throw new Error(`--${args.mode} is for bench:shop.`)
  await withShop(args, ordersMix, async (session) => {
    const measured = await measureRates(session, args, (orders) => endToEnd(session, orders))
    writeResults(args.mode === 'find' ? 'orders' : 'orders-rate', args, measured)
    return measured.steps
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/** Milliseconds to the notification, of the orders that got one, and how many a second they are. */
async function endToEnd({ shop }: Session, orders: Ran['orders']) {
  const { rows } = await shop.postgres.query(told, 'notifications')
  const toldAt = new Map(rows.map(({ id, at }): [string, number] => [id, at]))
  const times = orders.flatMap(([id, begun]) => {
    const at = toldAt.get(id)
    return at === undefined ? [] : [{ at, ms: at - begun }]
  })
  const at = (share: number) =>
    percentile(
      times.map(({ ms }) => ms),
      share,
    )
  const first = Math.min(...orders.map(([, begun]) => begun))
  const last = Math.max(...times.map(({ at }) => at))
  return {
    'orders paid': orders.length,
    'orders told of': times.length,
    'orders a second': (times.length * 1_000) / (last - first),
    'end to end p50, ms': at(0.5),
    'end to end p95, ms': at(0.95),
    'end to end p99, ms': at(0.99),
    'end to end max, ms': at(1),
  }
}
