import type { GraphQLDataSource } from '@apollo/gateway'
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLFormattedError,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql'
import type { Dispatcher } from 'undici'
import type { Addresses, Policy } from '#platform/balancer.ts'
import { type ErrorCode, ServiceError } from '#platform/errors.ts'
import { createFailover } from '#platform/failover.ts'
import { graphqlError } from '#platform/http.ts'
import { createHttpPool, httpFailure, isLate, refusePassing } from '#platform/http-pool.ts'
import type { Log } from '#platform/log.ts'
import { timedOut, unavailable } from '#platform/mask.ts'
import { inSpanOf } from '#platform/telemetry/span.ts'
import { type Guard, NoGraphQLResponse } from './resilience.ts'
import { fetchSpan } from './trace.ts'

/** What a fetch needs to know of the request it is made for. */
export type FetchContext = {
  readonly requestId: string
  readonly traceparent: string
  readonly tracestate?: string
  /** When the client's request is answered with what there is, in milliseconds since the epoch. */
  readonly deadline: number
  /** Aborted when the client is gone, with the error that its fetches end with. */
  readonly signal?: AbortSignal
  /** The signed principal. Absent when the gateway has no key. */
  readonly principalToken?: string
  /** What of the client's headers goes along. */
  readonly headers?: Readonly<Record<string, string>>
}

export type ForwarderOptions = {
  /** The subgraph's name. */
  name: string
  /** GraphQL URLs of its instances. */
  urls: Addresses
  /** How fetches are shared among them. Default round-robin. */
  policy?: () => Policy
  /** Milliseconds that a fetch may take, with its repeat. */
  timeout: number
  /** Told of each fetch, and of the seconds it took, whatever came of it. */
  onFetch?: (subgraph: string, seconds: number) => void
  /** Told of each fetch that came to nothing, also of one that was not made. */
  onFailure?: (subgraph: string, code: ErrorCode) => void
  /** What fetches go through. Absent: all are made. */
  guard?: Guard | undefined
  log: Log
}

/** Connections to one instance. */
const connections = 100
/** Bytes of a response, at the most. */
const responseLimit = 16 * 1024 * 1024
/** Errors reported for one failed fetch, however many fields it leaves empty. */
const mostErrors = 100

type Response = {
  data?: Record<string, unknown> | null
  errors?: GraphQLFormattedError[]
  extensions?: Record<string, unknown>
}
type Fetch = { query: string; variables: Record<string, unknown>; operationName?: string }

/**
 * Fetches from one subgraph, from one of its instances and, when that fails on the way, once more: a query always, a mutation
 * only when nothing was sent. A fetch that fails is an answer without data and with an error at each field it was for, so
 * that the rest of the client's operation is answered and the client sees what is missing.
 */
export function createForwarder({ name, urls, policy, timeout, onFetch, onFailure, guard, log }: ForwarderOptions) {
  const failover = createFailover({
    addresses: urls,
    ...(policy && { policy }),
    open(url) {
      const { origin, pathname, search } = new URL(url)
      const pool = createHttpPool(origin, { connections, answerLimit: responseLimit })
      return { path: `${pathname}${search}`, pool, span: fetchSpan(name, url) }
    },
    close: ({ pool }) => pool.close(),
    failureOf: httpFailure,
    noInstance: () => unavailable(name),
  })

  async function send(fetch: Fetch, context: FetchContext): Promise<Response> {
    const end = Math.min(Date.now() + timeout, context.deadline)
    const timeLeft = () => end - Date.now()
    const body = JSON.stringify(fetch)
    let attempts = 0
    try {
      return await failover.call(
        ({ pool, path, span }) => {
          const time = timeLeft()
          if (time <= 0) throw timedOut(name)
          return inSpanOf(context, 'POST', span(attempts++), async (context, recorded) => {
            const headers = headersOf(context, time)
            const signal = signalOf(fetch, context, time)
            const answer = await pool.request({ method: 'POST', path, headers, body, signal })
            recorded?.setAttribute('http.response.status_code', answer.statusCode)
            return readResponse(answer)
          })
        },
        { repeatable: isQuery(fetch), timeLeft: () => (context.signal?.aborted ? 0 : timeLeft()) },
      )
    } catch (error) {
      if (error instanceof ServiceError) throw error
      throw isLate(error) ? timedOut(name, error) : unavailable(name, error)
    }
  }

  async function measured(fetch: Fetch, context: FetchContext): Promise<Response> {
    const start = performance.now()
    try {
      return await send(fetch, context)
    } catch (error) {
      if (!context.signal?.aborted) log.warn('fetch failed', { subgraph: name, error })
      throw error
    } finally {
      onFetch?.(name, (performance.now() - start) / 1_000)
    }
  }

  const check = (context: FetchContext) => send({ query: '{__typename}', variables: {} }, context)
  const dataSource: GraphQLDataSource = {
    async process({ request, context }) {
      const { query = '', variables = {}, operationName } = request
      const fetch = { query, variables, ...(operationName && { operationName }) }
      const asked = () => measured(fetch, context as FetchContext)
      try {
        return await (guard ? guard.fetch(context as FetchContext, asked) : asked())
      } catch (error) {
        if (error instanceof ServiceError && !(context as FetchContext).signal?.aborted) onFailure?.(name, error.code)
        return missing(fetch, error as ServiceError)
      }
    },
  }
  return {
    name,
    urls,
    dataSource,
    /** Rejects when the subgraph does not answer the simplest query. */
    check: guard ? guard.confirming(check) : check,
    close: failover.close,
  }
}

export type Forwarder = ReturnType<typeof createForwarder>

/** What ends a fetch: its time, and for a query also that the client is gone. A mutation that was sent is left to finish. */
function signalOf(fetch: Fetch, { signal }: FetchContext, time: number): AbortSignal {
  const late = AbortSignal.timeout(time)
  return signal && isQuery(fetch) ? AbortSignal.any([signal, late]) : late
}

/** Whether a fetch changes nothing. Planned fetches hold one operation, which comes first. */
function isQuery({ query }: Fetch): boolean {
  return /^\s*(query\b|\{)/.test(query)
}

async function readResponse({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Response> {
  if (statusCode >= 500 || !String(headers['content-type']).includes('json')) {
    await body.dump()
    refusePassing(statusCode)
    if (statusCode >= 500) throw new Error(`status ${statusCode}`)
    throw new NoGraphQLResponse(statusCode)
  }
  const response = (await body.json()) as Response
  if (typeof response !== 'object' || response === null || !('data' in response || 'errors' in response)) {
    throw new NoGraphQLResponse(statusCode)
  }
  return response
}

function headersOf(context: FetchContext, time: number): Record<string, string> {
  const { requestId, traceparent, tracestate, principalToken, headers } = context
  return {
    ...headers,
    'content-type': 'application/json',
    accept: 'application/json',
    'x-request-id': requestId,
    'x-timeout-ms': String(time),
    traceparent,
    ...(tracestate && { tracestate }),
    ...(principalToken && { 'x-principal': principalToken }),
  }
}

/** The answer of a fetch that failed: every field it was for is null, with the error at its path. */
function missing({ query, variables }: Fetch, error: ServiceError): Response {
  const { definitions } = parse(query, { noLocation: true })
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  const operation = definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  const fields = operation ? fieldsOf(operation.selectionSet, undefined, fragments) : []
  const { representations } = variables as { representations?: { __typename: string }[] }
  const [entities] = fields
  const paths =
    representations && entities?.selectionSet
      ? representations.flatMap(({ __typename }, index) =>
          fieldsOf(entities.selectionSet, __typename, fragments).map((field) => [
            '_entities',
            index,
            responseName(field),
          ]),
        )
      : fields.map((field) => [responseName(field)])
  return {
    data: representations ? { _entities: representations.map(() => null) } : null,
    errors: paths.slice(0, mostErrors).map((path) => ({ ...graphqlError(error), path })),
  }
}

/** The fields that a selection has for a type. */
function fieldsOf(
  selectionSet: SelectionSetNode | undefined,
  typename: string | undefined,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): FieldNode[] {
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection.name.value === '__typename' ? [] : [selection]
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
    const condition = fragment?.typeCondition?.name.value
    if (typename !== undefined && condition !== undefined && condition !== typename) return []
    return fieldsOf(fragment?.selectionSet, typename, fragments)
  })
}

function responseName({ alias, name }: FieldNode): string {
  return (alias ?? name).value
}
