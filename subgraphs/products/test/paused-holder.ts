/**
 * A process that changes a stock and says when it holds the lock, before it writes: it goes on when it is told to. Told by
 * its environment which product, database and Redis. What became of the change is its last message.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { openDatabase } from '#platform/database/open.ts'
import { hasCode } from '#platform/errors.ts'
import { silentLog as log } from '#platform/log.ts'
import { openRedis } from '#platform/redis.ts'
import { createProductsStore } from '../store.ts'
import { createInstance, manager } from './open-products.ts'

const { DATABASE = '', REDIS = '', PRODUCT = '', LEASE } = process.env
const database = openDatabase({ name: 'holder', url: DATABASE, poolSize: 2, log })
const store = createProductsStore(database.adapter)
const redis = await openRedis({ url: REDIS, name: 'holder', commandTimeout: 5_000, log })
// Whose first statement takes longer than any other: not while the lock is held.
await store.nextStockFence()
const { service } = await createInstance({
  store: {
    ...store,
    async adjustStock(...change) {
      process.send?.('holding')
      await once(process, 'message')
      return store.adjustStock(...change)
    },
  },
  redis,
  lease: Number(LEASE),
})
const change = { productId: PRODUCT, delta: 100, reason: 'Counted', idempotencyKey: randomUUID() }
const outcome = await service
  .adjustStock(manager, change)
  .then(() => 'written')
  .catch((error: unknown) => (hasCode(error, 'IN_PROGRESS') ? error.code : String(error)))
process.send?.(outcome, () => process.exit(0))
