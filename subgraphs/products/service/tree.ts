import { type Category, type CategoryTree, toTree } from '../domain/category.ts'
import type { ProductsStore } from '../store.ts'

/** Milliseconds that the tree is remembered: as long as the schema lets anybody keep what no event tells of. */
const longest = 1_000

export type TreeOptions = {
  store: Pick<ProductsStore, 'findCategories'>
  /** Milliseconds of a clock that never goes back. */
  clock?: () => number
}

/**
 * The tree of categories, remembered for a second. Who asks while it is read gets what is read.
 *
 * Guarantee: what was changed and forgotten before a call is seen by it, whenever it was read. What another instance changed is
 * seen after a second; a category that it added, at once.
 */
export function createTree({ store, clock = () => performance.now() }: TreeOptions) {
  let remembered: { readonly tree: Promise<CategoryTree>; readonly since: number } | undefined

  function read(): Promise<CategoryTree> {
    const tree = store.findCategories().then(toTree)
    const reading = { tree, since: clock() }
    remembered = reading
    tree.catch(() => {
      if (remembered === reading) remembered = undefined
    })
    return tree
  }

  function tree(): Promise<CategoryTree> {
    return remembered && clock() - remembered.since < longest ? remembered.tree : read()
  }

  return {
    tree,
    /** A category that is there. The tree is read again, for all who miss something in it, before one is not. */
    async category(id: string): Promise<Category | undefined> {
      const seen = tree()
      const found = (await seen).byId.get(id)
      if (found) return found
      return (await (remembered?.tree === seen ? read() : tree())).byId.get(id)
    },
    /** What is read, or being read, is of no use any more. */
    forgetTree(): void {
      remembered = undefined
    },
  }
}
