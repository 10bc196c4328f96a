import { badInput, notFound, ServiceError } from '#platform/errors.ts'
import { parseId, parseText } from '#platform/input.ts'
import { noSuchCategory } from './catalogue.ts'

/** A shelf of the catalogue. Categories form a tree. */
export type Category = { readonly id: string; readonly name: string; readonly parentId: string | null }

/** All categories by name, and what they are looked up by. */
export type CategoryTree = {
  readonly all: readonly Category[]
  readonly byId: ReadonlyMap<string, Category>
  /** What stands in a category, by its id, and at the top, by null. */
  readonly childrenOf: ReadonlyMap<string | null, readonly Category[]>
}

export function toTree(all: readonly Category[]): CategoryTree {
  return {
    all,
    byId: new Map(all.map((category) => [category.id, category])),
    childrenOf: Map.groupBy(all, ({ parentId }) => parentId),
  }
}

/** What of a category is to change. What is absent stays. */
export type CategoryChange = {
  readonly name?: string | null | undefined
  /** Null puts the category at the top. */
  readonly parentId?: string | null | undefined
}

/** There are as many as people can find their way in. All of them are read at once. */
const mostCategories = 1_000
const deepest = 10
const longestName = 100

/** A new category among those that are there. Throws BAD_USER_INPUT, NOT_FOUND or ILLEGAL_TRANSITION when there are too many. */
export function addCategory(all: readonly Category[], id: string, { name, parentId }: CategoryChange): Category {
  if (all.length >= mostCategories) {
    throw new ServiceError(
      'ILLEGAL_TRANSITION',
      `There are ${mostCategories} categories, which is as many as there can be.`,
    )
  }
  return placed(all, { id, name: parseName(name ?? ''), parentId: parseParent(all, parentId ?? null) })
}

/**
 * The category after a change; undefined when everything was so already. Throws NOT_FOUND, and BAD_USER_INPUT also for a
 * parent that stands in the category itself.
 */
export function changeCategory(all: readonly Category[], id: string, change: CategoryChange): Category | undefined {
  const category = all.find((other) => other.id === id)
  if (!category) throw notFound('category')
  const name = change.name == null ? category.name : parseName(change.name)
  const parentId = change.parentId === undefined ? category.parentId : parseParent(all, change.parentId)
  if (name === category.name && parentId === category.parentId) return undefined
  return placed(all, { id, name, parentId })
}

/** Refuses to remove a category that has something in it. Throws ILLEGAL_TRANSITION. */
export function requireEmpty(all: readonly Category[], id: string, hasProducts: boolean): void {
  if (all.some(({ parentId }) => parentId === id)) {
    throw new ServiceError('ILLEGAL_TRANSITION', 'The category has categories in it.')
  }
  if (hasProducts)
    throw new ServiceError('ILLEGAL_TRANSITION', 'The category has products in it, archived ones included.')
}

/** Sees to it that a category stands where it may: in no circle, not too deep, beside no other of its name. */
function placed(all: readonly Category[], category: Category): Category {
  const { id, name, parentId } = category
  const byId = new Map(all.map((other) => [other.id, other]))
  let depth = 1
  for (let above = parentId; above !== null; above = byId.get(above)?.parentId ?? null) {
    if (above === id) throw badInput('parentId', 'A category cannot stand in itself.')
    depth += 1
  }
  if (depth + heightBelow(all, id) > deepest) throw badInput('parentId', `Categories are at most ${deepest} deep.`)
  if (all.some((other) => other.id !== id && other.parentId === parentId && other.name === name)) {
    throw badInput('name', 'There is a category of this name in the same place.')
  }
  return category
}

/** How many categories stand below one another in a category. */
function heightBelow(all: readonly Category[], id: string): number {
  const children = Map.groupBy(all, ({ parentId }) => parentId)
  const height = (parent: string): number =>
    Math.max(0, ...(children.get(parent) ?? []).map((child) => 1 + height(child.id)))
  return height(id)
}

function parseName(text: string): string {
  if (!text.isWellFormed()) throw badInput('name', 'This is not Unicode text.')
  return parseText('name', text, longestName)
}

function parseParent(all: readonly Category[], text: string | null): string | null {
  if (text === null) return null
  const id = parseId(text)
  if (!id || !all.some((category) => category.id === id)) throw noSuchCategory('parentId')
  return id
}
