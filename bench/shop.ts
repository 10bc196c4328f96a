/**
 * `npm run bench:shop`: how many requests a second the whole shop bears, and at which latency.
 */

import { parseArgs } from 'node:util'
import { startLoad } from './shop/load.ts'
import { shopMix } from './shop/mix.ts'
import { report } from './shop/report.ts'
import { measure } from './shop/run.ts'
import { startShop } from './shop/shop.ts'
import { createUsage } from './shop/usage.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string' },
    seconds: { type: 'string' },
    real: { type: 'boolean' },
    before: { type: 'boolean' },
  },
})
const products = 10_000
const shop = await startShop({ real: values.real ?? false, before: values.before ?? false, customers: 500, products })
const load = await startLoad({ url: shop.stack.url, mix: shopMix, customers: shop.customers, products })
const usage = createUsage(shop, load.pid)
const { step } = await measure(
  { load, usage },
  { rate: Number(values.rate ?? 100), seconds: Number(values.seconds ?? 20), warmUp: 10 },
)
console.log(report(step))
await load.stop()
await shop.stop()
