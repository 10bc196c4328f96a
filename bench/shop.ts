/**
 * `npm run bench:shop`: what load the whole shop bears on this machine, all its processes, its servers and the load generator
 * together: 500 customers, 10,000 products, a stated mix of recorded operations at a constant rate, whatever the answers take.
 * Figures and method are in docs/performance-shop.md. Linux only.
 *
 *   npm run bench:shop -- --rate 100 --seconds 20      latency by operation, CPU and memory by process
 *   npm run bench:shop -- --find                       the highest rate at which p99 <= 50 ms and errors <= 0.1 %
 *   npm run bench:shop -- --compare                    the same with --before and without, in one table
 *   npm run bench:shop -- --soak --minutes 30          half of that for long, and what grows
 *
 * Each with `--real` (Kafka, Redis), `--before` (no cache, no pools, no batches), `--cache` (the gateway's), and `--profile`.
 */
import { parseArguments } from './shop/arguments.ts'
import { compare } from './shop/compare.ts'
import { shopMix } from './shop/mix.ts'
import { measureRates, withShop, writeResults } from './shop/session.ts'
import { soak } from './shop/soak.ts'

try {
  const args = parseArguments(process.argv.slice(2))
  if (args.mode === 'compare') await compare(args)
  else
    await withShop(args, shopMix, async (session) => {
      if (args.mode === 'soak') {
        const steps = await soak(session, args)
        writeResults('soak', args, { steps, highest: undefined })
        return steps
      }
      const measured = await measureRates(session, args)
      // What one rate came to does not write over what a search found.
      writeResults(args.mode === 'find' ? 'shop' : 'shop-rate', args, measured)
      return measured.steps
    })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
