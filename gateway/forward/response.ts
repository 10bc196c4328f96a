import type { GraphQLFormattedError } from 'graphql'
import type { HttpAnswer } from '#platform/http-exchange.ts'
import { refusePassing } from '#platform/http-pool.ts'
import { isObject } from '../objects.ts'
import { NoGraphQLResponse } from '../resilience.ts'

/** What a subgraph answers a fetch with. */
export type Response = {
  data?: Record<string, unknown> | null
  errors?: GraphQLFormattedError[]
  extensions?: Record<string, unknown>
  /** When the subgraph was asked, in milliseconds of `performance.now()`. Whoever waited for another's fetch came later. */
  began?: number
}

/**
 * Reads the answer to a fetch of so many entities, or of root fields. Throws NotPassedOn or another error for a status of
 * 5xx, and NoGraphQLResponse for what is none: the executor would stumble over it, and leave the whole operation without data.
 */
export function readResponse({ status, headers, text }: HttpAnswer, entities?: number): Response {
  if (status >= 500 || !String(headers['content-type']).includes('json')) {
    refusePassing(status)
    if (status >= 500) throw new Error(`status ${status}`)
    throw new NoGraphQLResponse(status)
  }
  const response: unknown = JSON.parse(text)
  if (!isResponse(response)) throw new NoGraphQLResponse(status)
  if (entities === undefined || !response.data) return response
  const { _entities: found } = response.data
  if (isListOf(found, isEntity) && found.length === entities) return response
  // Some say so that none of them could be resolved.
  if (found === null && response.errors) return { ...response, data: null }
  throw new NoGraphQLResponse(status)
}

/** https://spec.graphql.org/October2021/#sec-Response-Format */
function isResponse(value: unknown): value is Response {
  if (!isObject(value)) return false
  const { data, errors } = value
  if (errors !== undefined && !isListOf(errors, isError)) return false
  return isObject(data) || (!data && Array.isArray(errors) && errors.length > 0)
}

function isError(value: unknown): boolean {
  if (!isObject(value)) return false
  const { message, path, extensions } = value
  return typeof message === 'string' && (!path || Array.isArray(path)) && (!extensions || isObject(extensions))
}

function isEntity(value: unknown): boolean {
  return value === null || (isObject(value) && (value.__typename === undefined || typeof value.__typename === 'string'))
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(isItem)
}
