import { badInput } from './errors.ts'

/** Relay's cursor connections over a list that is sorted newest first. https://relay.dev/graphql/connections.htm */

/** Where an item stands in a list: its time, and its id where times are equal. */
export type Key = { createdAt: Date; id: string }

export type Page = { limit: number; after: Key | undefined }

const defaultFirst = 20
const largestFirst = 100

/** Reads `first` and `after`. Throws BAD_USER_INPUT. */
export function parsePage({ first, after }: { first?: number | null; after?: string | null }): Page {
  const limit = first ?? defaultFirst
  if (limit < 1 || limit > largestFirst) throw badInput('first', `first is 1 to ${largestFirst}.`)
  return { limit, after: after ? parseCursor(after) : undefined }
}

/** A connection from the items of a page and, where more follow, at least one behind them. */
export function toConnection<Item extends Key>(items: readonly Item[], { limit, after }: Page) {
  const edges = items.slice(0, limit).map((node) => ({ node, cursor: toCursor(node) }))
  const pageInfo = {
    hasNextPage: items.length > limit,
    hasPreviousPage: after !== undefined,
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null,
  }
  return { edges, pageInfo }
}

/** Opaque to clients. */
function toCursor({ createdAt, id }: Key): string {
  return Buffer.from(`${createdAt.getTime()} ${id}`).toString('base64url')
}

const cursorShape = /^(\d{1,15}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

function parseCursor(text: string): Key {
  const [, time, id] = cursorShape.exec(Buffer.from(text, 'base64url').toString()) ?? []
  if (!time || !id) throw badInput('after', 'This is not a cursor of this list.')
  return { createdAt: new Date(Number(time)), id }
}
