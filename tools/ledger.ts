/**
 * Proves the stock, of the running development shop or of the database that PRODUCTS_DATABASE_URL names: each product's stock
 * is the sum of its ledger, and what the ledger says is held is what open reservations have. Ends with 1 where it is not.
 */
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createProductsStore } from '../subgraphs/products/store.ts'
import { serviceDatabase } from './infra/service-database.ts'

try {
  const database = openDatabase({ name: 'ledger', url: serviceDatabase('products'), poolSize: 1, log })
  const store = createProductsStore(database.adapter)
  const differences = await store.findStockDifferences()
  for (const { productId, available, entered, held, reserved } of differences) {
    console.log(
      `${productId}: stock ${available}, ledger ${entered}; held by the ledger ${held}, by orders ${reserved}`,
    )
  }
  console.log(
    differences.length === 0 ? 'The stock is what the ledger says.' : `${differences.length} products differ.`,
  )
  if (differences.length > 0) process.exitCode = 1
  await store.close()
  await database.close()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
