import { notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { type Caller, requireCatalogueWriter } from '../domain/catalogue.ts'
import { addCategory, type Category, type CategoryChange, changeCategory, requireEmpty } from '../domain/category.ts'
import type { ProductsDependencies } from './dependencies.ts'

/** The tree of categories, as the shop's managers change it. Everything here needs the scope `catalog:write`. */
export function createCategoryUseCases({ store, reading, newId }: ProductsDependencies) {
  /** Whatever became of a change, and be it that nobody knows: who reads afterwards gets what is there. */
  const forgetting = <Changed>(changed: Promise<Changed>): Promise<Changed> => changed.finally(reading.forgetTree)

  return {
    /** Adds an empty category. Throws BAD_USER_INPUT, NOT_FOUND, ILLEGAL_TRANSITION, UNAUTHENTICATED or FORBIDDEN. */
    async createCategory(caller: Caller, input: CategoryChange & { name: string }): Promise<Category> {
      requireCatalogueWriter(caller)
      const id = newId()
      const added = await forgetting(store.changeCategories((all) => addCategory(all, id, input)))
      if (!added) throw notFound('category')
      return added
    },

    /**
     * Renames a category, or puts it elsewhere with all that stands in it. Throws BAD_USER_INPUT, also for a place in itself,
     * NOT_FOUND, UNAUTHENTICATED or FORBIDDEN.
     */
    async updateCategory(
      caller: Caller,
      { categoryId, ...change }: CategoryChange & { categoryId: string },
    ): Promise<Category> {
      requireCatalogueWriter(caller)
      const id = parseId(categoryId)
      if (!id) throw notFound('category')
      let before: Category | undefined
      const changed = await forgetting(
        store.changeCategories((all) => {
          before = all.find((category) => category.id === id)
          return changeCategory(all, id, change)
        }),
      )
      const category = changed ?? before
      if (!category) throw notFound('category')
      return category
    },

    /**
     * Removes a category that has nothing in it. Nothing happens when it is gone already. Throws ILLEGAL_TRANSITION,
     * UNAUTHENTICATED or FORBIDDEN.
     */
    async deleteCategory(caller: Caller, categoryId: string): Promise<void> {
      requireCatalogueWriter(caller)
      const id = parseId(categoryId)
      if (id) await forgetting(store.removeCategory(id, (all, hasProducts) => requireEmpty(all, id, hasProducts)))
    },
  }
}
