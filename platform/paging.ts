import { badInput } from './errors.ts'

/** Relay's cursor connections over a list that is sorted newest first. https://relay.dev/graphql/connections.htm */

/** Where an item stands in a list: its time, and its id where times are equal. */
export type Key = { createdAt: Date; id: string }

export type Page = { limit: number; after: Key | undefined }

const defaultFirst = 20
const largestFirst = 100

/** Reads `first` and `after`, whatever the caller calls them. Throws BAD_USER_INPUT. */
export function parsePage(
  { first, after }: { first?: number | null; after?: string | null },
  called = { first: 'first', after: 'after' },
): Page {
  return { limit: parseFirst(first, called.first), after: after ? parseCursor(after, called.after) : undefined }
}

/** Reads `first`. Throws BAD_USER_INPUT. */
export function parseFirst(first: number | null | undefined, called = 'first'): number {
  const limit = first ?? defaultFirst
  if (limit < 1 || limit > largestFirst) throw badInput(called, `${called} is 1 to ${largestFirst}.`)
  return limit
}

/** A connection from the items of a page and, where more follow, at least one behind them. */
export function toConnection<Item extends Key>(items: readonly Item[], { limit, after }: Page) {
  const edges = items.map((node) => ({ node, cursor: toCursor(node) }))
  return connectionOf(edges, { limit, continued: after !== undefined })
}

/** The same of edges whose cursors are their list's own. `continued`: whether the page begins behind a cursor. */
export function connectionOf<Edge extends { cursor: string }>(
  found: readonly Edge[],
  { limit, continued }: { limit: number; continued: boolean },
) {
  const edges = found.slice(0, limit)
  const pageInfo = {
    hasNextPage: found.length > limit,
    hasPreviousPage: continued,
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null,
  }
  return { edges, pageInfo }
}

/** Opaque to clients. */
function toCursor({ createdAt, id }: Key): string {
  return Buffer.from(`${createdAt.getTime()} ${id}`).toString('base64url')
}

/** Fourteen digits are the year 5138: databases do not know all times that JavaScript does. */
const cursorShape = /^(\d{1,14}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

function parseCursor(text: string, called: string): Key {
  const [, time, id] = cursorShape.exec(Buffer.from(text, 'base64url').toString()) ?? []
  if (!time || !id) throw badInput(called, 'This is not a cursor of this list.')
  return { createdAt: new Date(Number(time)), id }
}
