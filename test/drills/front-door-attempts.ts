import { exchange, type RawRequest, type Reply, rawRequest } from './front-door-wire.ts'

/** One attempt at the front door, and how it must be answered: `400 BAD_REQUEST`, `200 data`, `closed`, or one of two. */
export type Attempt = { what: string; expected: string; run: () => Promise<Reply[]> }

/** What attempts know of the gateway that they are made at. */
export type Door = {
  port: number
  /** A customer who is signed in. */
  account: { id: string; token: string }
}

/** A request, sent as it stands. */
export function ask(door: Door, what: string, expected: string, request: RawRequest): Attempt {
  const bytes = rawRequest(request)
  return { what, expected, run: () => exchange(door.port, [bytes]) }
}

/** A document, sent as JSON with what else there is. */
export function askFor(door: Door, what: string, expected: string, query: string, rest: object = {}): Attempt {
  return ask(door, what, expected, { body: JSON.stringify({ query, ...rest }) })
}

/** Makes a text of pieces. */
export function many(count: number, piece: string | ((n: number) => string), separator = ' '): string {
  return Array.from({ length: count }, (_, n) => (typeof piece === 'string' ? piece : piece(n))).join(separator)
}
