import type { FastifyRequest } from 'fastify'
import { ServiceError } from '#platform/errors.ts'
import { isObject } from '../objects.ts'
import { parseJson } from './json.ts'

/** The parameters of a GraphQL-over-HTTP request. Only their shapes are known to be right. */
export type Params = {
  readonly query?: string
  /** The id of a persisted document. https://graphql.github.io/graphql-over-http/draft/#sec-Persisted-Documents */
  readonly documentId?: string
  readonly operationName?: string
  readonly variables: Record<string, unknown>
  readonly extensions: Record<string, unknown>
}

/** The operations of a request, and whether they came as a batch and so are answered as one. */
export type ParsedRequest = { readonly operations: readonly Params[]; readonly batch: boolean }

/** Reads the parameters of a POST: an object, or a list of at most `batchLimit`. Throws BAD_REQUEST. */
export function paramsOfBody(body: unknown, batchLimit: number): ParsedRequest {
  if (!Array.isArray(body)) return { operations: [paramsOf(body)], batch: false }
  if (body.length === 0) throw refused('The batch holds no operation.')
  if (body.length > batchLimit) {
    throw refused(
      batchLimit <= 1 ? 'Batches are not allowed.' : `A batch may hold ${batchLimit} operations at the most.`,
    )
  }
  return { operations: body.map(paramsOf), batch: true }
}

/** Reads the parameters of a GET from its query string. Throws BAD_REQUEST. */
export function paramsOfQuery(query: FastifyRequest['query']): ParsedRequest {
  const { variables, extensions, ...rest } = query as Record<string, unknown>
  return {
    operations: [paramsOf({ ...rest, variables: jsonOf(variables), extensions: jsonOf(extensions) })],
    batch: false,
  }
}

function jsonOf(value: unknown): unknown {
  return typeof value === 'string' && value !== '' ? parseJson(value) : value === '' ? undefined : value
}

function paramsOf(request: unknown): Params {
  if (!isObject(request)) throw refused('The request is not a JSON object with a query.')
  const { query, documentId, operationName, variables, extensions } = request
  return {
    ...(isText(query, 'query') && { query }),
    ...(isText(documentId, 'documentId') && { documentId }),
    ...(isText(operationName, 'operationName') && { operationName }),
    variables: objectOf(variables, 'variables'),
    extensions: objectOf(extensions, 'extensions'),
  }
}

function isText(value: unknown, name: string): value is string {
  if (value === undefined || value === null) return false
  if (typeof value !== 'string') throw refused(`${name} is not a string.`)
  return value !== ''
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw refused(`${name} is not an object.`)
  return value
}

function refused(message: string): ServiceError {
  return new ServiceError('BAD_REQUEST', message)
}
