import { stockLow } from '#contracts/events.ts'
import { notFound } from '#platform/errors.ts'
import { type Caller, requireCatalogueWriter, type StockedProduct } from '../domain/catalogue.ts'
import { type AdjustmentInput, hasRunLow, parseAdjustment, requireRoom, requireSame } from '../domain/stock.ts'
import type { StockTeller } from '../store/ledger.ts'
import type { ProductsDependencies } from './dependencies.ts'

/** Stock that people correct: goods that came, broke, or were counted. */
export function createStockUseCases(dependencies: ProductsDependencies) {
  const { store, reading, locks, now, newId } = dependencies
  const teller = createStockTeller(dependencies)

  return {
    /**
     * Changes the stock of a product, also of an archived one, once for each caller and key: a repeat changes nothing and is
     * answered with the product as it is by then. Needs the scope `catalog:write`. Whoever lost the lock while it was at work,
     * because its process stood still or Redis forgot it, is refused by the store. Throws BAD_USER_INPUT, NOT_FOUND,
     * INSUFFICIENT_STOCK, IDEMPOTENCY_KEY_REUSED; IN_PROGRESS when others change the same stock for too long; UNAUTHENTICATED
     * or FORBIDDEN.
     */
    async adjustStock(caller: Caller, input: AdjustmentInput): Promise<StockedProduct> {
      requireCatalogueWriter(caller)
      const adjustment = parseAdjustment(input)
      if (!adjustment) throw notFound('product')
      const before = await locks.run(`stock:${adjustment.productId}`, ({ token }) =>
        store.adjustStock(
          { ...adjustment, id: newId(), actor: `user:${caller.sub}`, at: now() },
          { fence: token, decide: (available) => requireRoom(adjustment, available), teller },
        ),
      )
      if (before) requireSame(adjustment, before)
      const ids = [adjustment.productId]
      const [[product], [stock]] = await Promise.all([reading.byIds(ids), reading.stock(ids)])
      if (!product || !stock) throw notFound('product')
      return { ...product, ...stock }
    },
  }
}

/** Tells of stock that runs low: once, until it has been above the threshold again. */
export function createStockTeller({ lowStock: threshold }: Pick<ProductsDependencies, 'lowStock'>): StockTeller {
  return {
    quietAbove: threshold,
    of(level) {
      if (!hasRunLow(level, threshold)) return undefined
      const { productId, sku, name, available } = level
      return stockLow.of({ productId, sku, name, available, threshold })
    },
  }
}
