import assert from 'node:assert/strict'
import pg from 'pg'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createProductsStore } from '../../subgraphs/products/store.ts'
import { hostileSearches } from '../../subgraphs/products/test/hostile-searches.ts'
import { createInstance } from '../../subgraphs/products/test/open-products.ts'
import { addBigCatalogue } from '../../tools/seed/big-catalogue.ts'
import { createTestDatabase } from '../infra/parts.ts'
import { untilStored } from '../infra/stack.ts'
import { recordStatements } from '../infra/statements.ts'
import { productPlans } from './catalogue-plans.ts'
import { createReads, pageName, type Read, sorts } from './catalogue-reads.ts'
import { type Drill, percentile } from './drill.ts'

/** How many times as long as the first page one far behind it may take, at the median. */
const tolerance = 1.5
/** Milliseconds that a search may take, whatever is searched for. */
const longestSearch = 100

export const catalogue: Drill = {
  summary: '100,000 products: first pages and far ones, filters and searches, their times and the indexes they use',
  async run({ short, print }) {
    const [products, pages, samples] = short ? [20_000, 200, 10] : [100_000, 1_000, 500]
    const url = await createTestDatabase('products')
    const database = openDatabase({ name: 'drill', url, poolSize: 5, log })
    const { adapter, during } = recordStatements(database.adapter)
    const store = createProductsStore(adapter)
    const planner = await database.adapter.connect()
    try {
      const filling = await timed(() => untilStored(() => addBigCatalogue(store, products)))
      await tidy(url)
      print(`${products} products, added in ${(filling / 1_000).toFixed(1)} s`)
      const { service } = await createInstance({ store })

      const reads = await createReads(service, pages)
      const times = await timesOf(reads, samples)
      const width = Math.max(...Object.keys(reads).map(({ length }) => length))
      print(`  ${`${samples} of each, in turns`.padEnd(width)}  p50 ms  p99 ms  indexes`)
      for (const [name, read] of Object.entries(reads)) {
        const plans = await productPlans(planner, await during(read))
        const indexes = [...new Set(plans.flatMap((plan) => plan.indexes))]
        const figures = [0.5, 0.99].map((share) =>
          percentile(times[name] ?? [], share)
            .toFixed(2)
            .padStart(6),
        )
        print(`  ${name.padEnd(width)}  ${figures.join('  ')}  ${indexes.join(', ')}`)
        assert.ok(plans.length > 0, `${name} reads products`)
        for (const { sql, scansAll } of plans) assert.ok(!scansAll, `${name} reads all products: ${sql}`)
      }
      for (const sort of sorts) {
        const [first, far] = [0, pages].map((behind) => percentile(times[pageName(sort, behind)] ?? [], 0.5))
        const ratio = (far ?? Number.NaN) / (first ?? Number.NaN)
        print(`${pageName(sort, pages)} takes ${ratio.toFixed(2)} times as long as the first, at the median`)
        // The short run, beside other tests, is too noisy to measure.
        if (!short) assert.ok(ratio <= tolerance, `at most ${tolerance} times`)
      }

      let slowest = { search: '', time: 0 }
      for (const search of hostileSearches) {
        const time = await timed(() => service.products({ filter: { search } }))
        if (time > slowest.time) slowest = { search, time }
      }
      const { time } = slowest
      const shown = JSON.stringify(slowest.search).slice(0, 60)
      print(`${hostileSearches.length} hostile searches, no error; the slowest ${time.toFixed(1)} ms: ${shown}`)
      assert.ok(hostileSearches.length >= 200)
      if (!short) assert.ok(time <= longestSearch, `at most ${longestSearch} ms`)
    } finally {
      await planner.dispose()
      await store.close()
      await database.close()
    }
  },
}

/** Milliseconds that each read took, by its name. They take turns, so that they share what else the machine does. */
async function timesOf(reads: Record<string, Read>, samples: number): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {}
  for (let sample = 0; sample < samples; sample += 1) {
    for (const [name, read] of Object.entries(reads)) {
      times[name] ??= []
      times[name].push(await timed(read))
    }
  }
  return times
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Does what the database does by itself within a minute of so many changes. */
async function tidy(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('VACUUM (ANALYZE)')
  await client.end()
}
