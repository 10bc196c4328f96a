import type { StockedProduct } from '../../subgraphs/products/domain/catalogue.ts'
import type { Category } from '../../subgraphs/products/domain/category.ts'
import type { ProductsStore } from '../../subgraphs/products/store.ts'
import { seededRandom } from '../../test/infra/random.ts'
import { idOf } from './ids.ts'
import { departments, makers, materials, qualities, remarks, syllables } from './words.ts'

/**
 * A catalogue of any size to see how the shop bears it. Whatever its size, each of its products is the same in every shop.
 */

type Kind = { readonly name: string; readonly categoryId: string }

/** Products that are added in one transaction. */
const batchSize = 1_000
const firstDay = Date.parse('2025-01-01T00:00:00Z')

const top = category('Warehouse', null)
const placed = Object.entries(departments).map(([name, groups]) => {
  const department = category(name, top)
  const shelves = Object.entries(groups).map(([group, kinds]) => {
    const parent = category(group, department)
    return { parent, kinds: kinds.map((kind) => category(kind, parent)) }
  })
  return { department, shelves }
})

/** A tree of four levels. Parents come before what stands in them. */
export const bigCategories: readonly Category[] = [
  top,
  ...placed.flatMap(({ department, shelves }) => [
    department,
    ...shelves.flatMap(({ parent, kinds }) => [parent, ...kinds]),
  ]),
]

const kinds: readonly Kind[] = placed.flatMap(({ shelves }) =>
  shelves.flatMap(({ kinds }) => kinds.map(({ id, name }) => ({ name, categoryId: id }))),
)

/** The product of a number, counted from 0. */
export function bigProduct(number: number): Omit<StockedProduct, 'archivedAt'> {
  const random = seededRandom(number)
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
  const { name: kind, categoryId } = pick(kinds)
  const [quality, material, maker] = [pick(qualities), pick(materials), pick(makers)]
  const series = [pick(syllables), pick(syllables), pick(syllables)].join('')
  const sku = `BIG-${String(number + 1).padStart(7, '0')}`
  // Ten come at a time, and prices end in 99: places in a list are shared by many.
  const createdAt = new Date(firstDay + Math.floor(number / 10) * 60_000)
  return {
    id: idOf(sku),
    sku,
    name: `${quality} ${material} ${kind} ${series[0]?.toUpperCase()}${series.slice(1)}`,
    description: `${kind} by ${maker}, ${10 + Math.floor(random() * 190)} cm. ${pick(remarks)} ${pick(remarks)}`,
    price: { amount: 100 * Math.ceil(2 * 1_500 ** random()) - 1, currency: random() < 0.1 ? 'CHF' : 'EUR' },
    categoryId,
    available: random() < 0.1 ? 0 : 1 + Math.floor(400 * random()),
    version: 1,
    createdAt,
    updatedAt: createdAt,
  }
}

/** Adds the first `count` products, with their categories and their stock in the ledger, except those that are there. */
export async function addBigCatalogue(
  store: Pick<ProductsStore, 'addCatalogue'>,
  count: number,
  onProgress: (done: number) => void = () => {},
): Promise<void> {
  for (let from = 0; from < count; from += batchSize) {
    const size = Math.min(batchSize, count - from)
    const products = Array.from({ length: size }, (_, index) => bigProduct(from + index))
    await store.addCatalogue(from === 0 ? bigCategories : [], products)
    onProgress(from + size)
  }
}

function category(name: string, parent: Category | null): Category {
  const path = parent ? `${parent.id} ${name}` : name
  return { id: idOf(`category ${path}`), name, parentId: parent?.id ?? null }
}
