import { LRUCache } from 'lru-cache'
import Negotiator from 'negotiator'

/** The media types of GraphQL over HTTP. The first is answered where a client takes either. */
export const mediaTypes = ['application/json', 'application/graphql-response+json'] as const
export type MediaType = (typeof mediaTypes)[number]

const html = 'text/html'
/** `Accept` headers whose outcome is remembered, and how long they may be. */
const known = new LRUCache<string, { best: MediaType | typeof html | null }>({ max: 200 })
const longest = 512

/**
 * What a client wants of those we have (RFC 9110, section 12.5.1): a GraphQL response, or a page where `pages` says that
 * there is one. Undefined for a client that takes nothing of it; a client that says nothing takes JSON.
 */
export function preferredType(
  accept: string | undefined,
  { pages }: { pages: true },
): MediaType | 'text/html' | undefined
export function preferredType(accept: string | undefined, options?: { pages: false }): MediaType | undefined
export function preferredType(accept: string | undefined, { pages = false } = {}): MediaType | 'text/html' | undefined {
  if (accept === undefined || accept === '' || accept === '*/*') return mediaTypes[0]
  const key = `${pages} ${accept}`
  const entry = known.get(key)
  if (entry) return entry.best ?? undefined
  const negotiator = new Negotiator({ headers: { accept: accept.slice(0, longest) } })
  const best = negotiator.mediaType(pages ? [...mediaTypes, html] : [...mediaTypes]) as
    | MediaType
    | 'text/html'
    | undefined
  if (accept.length <= longest) known.set(key, { best: best ?? null })
  return best
}
