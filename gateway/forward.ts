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
import { ServiceError } from '#platform/errors.ts'
import { createFailover } from '#platform/failover.ts'
import { graphqlError } from '#platform/http.ts'
import { createHttpPool, httpFailure, isLate, refusePassing } from '#platform/http-pool.ts'
import type { Log } from '#platform/log.ts'
import { timedOut, unavailable } from '#platform/mask.ts'
import { type Guard, NoGraphQLResponse } from './resilience.ts'

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

/** What a subgraph answers. */
export type SubgraphResponse = {
  data?: Record<string, unknown> | null
  errors?: GraphQLFormattedError[]
  extensions?: Record<string, unknown>
}

/** A fetch of a plan, ready to be sent again and again. */
export type PlannedFetch = {
  /** A GraphQL document of one operation. */
  readonly operation: string
  /** It changes nothing, and may be sent again. */
  readonly isQuery: boolean
  /** The request's JSON up to the variables. */
  readonly head: string
  /** The names under which it answers an entity of a type, or the query itself. */
  readonly fieldsOf: (typename: string | undefined) => readonly string[]
}

/** What a fetch is sent with. */
export type FetchVariables = {
  /** A JSON object. */
  readonly text: string
  /** The entities that are asked for. Absent when it is for none. */
  readonly representations?: readonly Readonly<Record<string, unknown>>[]
}

export function planFetch({ operation, operationName, operationKind }: FetchPlan): PlannedFetch {
  const name = operationName ? `"operationName":${JSON.stringify(operationName)},` : ''
  let fields: PlannedFetch['fieldsOf'] | undefined
  return {
    operation,
    isQuery: operationKind === 'query',
    head: `{"query":${JSON.stringify(operation)},${name}"variables":`,
    fieldsOf(typename) {
      fields ??= fieldsIn(operation)
      return fields(typename)
    },
  }
}

type FetchPlan = { operation: string; operationName?: string | undefined; operationKind: string }

/** The simplest query. */
const simplest = planFetch({ operation: '{__typename}', operationKind: 'query' })

/**
 * Fetches from one subgraph, from one of its instances and, when that fails on the way, once more: a query always, a mutation
 * only when nothing was sent. A fetch that fails is an answer without data and with an error at each field it was for, so
 * that the rest of the client's operation is answered and the client sees what is missing.
 */
export function createForwarder({ name, urls, policy, timeout, onFetch, guard, log }: ForwarderOptions) {
  const failover = createFailover({
    addresses: urls,
    ...(policy && { policy }),
    open(url) {
      const { origin, pathname, search } = new URL(url)
      return { path: `${pathname}${search}`, pool: createHttpPool(origin, { connections, answerLimit: responseLimit }) }
    },
    close: ({ pool }) => pool.close(),
    failureOf: httpFailure,
    noInstance: () => unavailable(name),
  })

  async function send(
    fetch: PlannedFetch,
    variables: FetchVariables,
    context: FetchContext,
  ): Promise<SubgraphResponse> {
    const end = Math.min(Date.now() + timeout, context.deadline)
    const timeLeft = () => end - Date.now()
    const body = `${fetch.head}${variables.text}}`
    try {
      return await failover.call(
        async ({ pool, path }) => {
          const time = timeLeft()
          if (time <= 0) throw timedOut(name)
          const headers = headersOf(context, time)
          const signal = signalOf(fetch, context, time)
          return readResponse(await pool.request({ method: 'POST', path, headers, body, signal }))
        },
        { repeatable: fetch.isQuery, timeLeft: () => (context.signal?.aborted ? 0 : timeLeft()) },
      )
    } catch (error) {
      if (error instanceof ServiceError) throw error
      throw isLate(error) ? timedOut(name, error) : unavailable(name, error)
    }
  }

  async function measured(...[fetch, variables, context]: Parameters<typeof send>): Promise<SubgraphResponse> {
    const start = performance.now()
    try {
      return await send(fetch, variables, context)
    } catch (error) {
      if (!context.signal?.aborted) log.warn('fetch failed', { subgraph: name, error })
      throw error
    } finally {
      onFetch?.(name, (performance.now() - start) / 1_000)
    }
  }

  const check = (context: FetchContext) => send(simplest, { text: '{}' }, context)
  return {
    name,
    urls,
    /** Rejects never. */
    async fetch(fetch: PlannedFetch, variables: FetchVariables, context: FetchContext): Promise<SubgraphResponse> {
      const asked = () => measured(fetch, variables, context)
      try {
        return await (guard ? guard.fetch(context, asked) : asked())
      } catch (error) {
        return missing(fetch, variables, error as ServiceError)
      }
    },
    /** Rejects when the subgraph does not answer the simplest query. */
    check: guard ? guard.confirming(check) : check,
    close: failover.close,
  }
}

export type Forwarder = ReturnType<typeof createForwarder>

/** What ends a fetch: its time, and for a query also that the client is gone. A mutation that was sent is left to finish. */
function signalOf({ isQuery }: PlannedFetch, { signal }: FetchContext, time: number): AbortSignal {
  const late = AbortSignal.timeout(time)
  return signal && isQuery ? AbortSignal.any([signal, late]) : late
}

async function readResponse({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<SubgraphResponse> {
  if (statusCode >= 500 || !String(headers['content-type']).includes('json')) {
    await body.dump()
    refusePassing(statusCode)
    if (statusCode >= 500) throw new Error(`status ${statusCode}`)
    throw new NoGraphQLResponse(statusCode)
  }
  const response = (await body.json()) as SubgraphResponse
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
function missing(
  { fieldsOf }: PlannedFetch,
  { representations }: FetchVariables,
  error: ServiceError,
): SubgraphResponse {
  const paths: (string | number)[][] = []
  const entities = representations?.entries() ?? [[undefined, undefined] as const]
  for (const [index, entity] of entities) {
    const above = index === undefined ? [] : ['_entities', index]
    for (const field of fieldsOf(entity?.__typename as string | undefined)) paths.push([...above, field])
    if (paths.length >= mostErrors) break
  }
  return {
    data: representations ? { _entities: representations.map(() => null) } : null,
    errors: paths.slice(0, mostErrors).map((path) => ({ ...graphqlError(error), path })),
  }
}

/** The names under which a planned operation answers. One for entities selects `_entities` and nothing else. */
function fieldsIn(operation: string): PlannedFetch['fieldsOf'] {
  const { definitions } = parse(operation, { noLocation: true })
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  const asked = definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  return (typename) => {
    const fields = selected(asked?.selectionSet, undefined, fragments)
    return (typename === undefined ? fields : selected(fields[0]?.selectionSet, typename, fragments)).map(responseName)
  }
}

/** The fields that a selection has for a type. */
function selected(
  selectionSet: SelectionSetNode | undefined,
  typename: string | undefined,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): FieldNode[] {
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection.name.value === '__typename' ? [] : [selection]
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
    const condition = fragment?.typeCondition?.name.value
    if (typename !== undefined && condition !== undefined && condition !== typename) return []
    return selected(fragment?.selectionSet, typename, fragments)
  })
}

function responseName({ alias, name }: FieldNode): string {
  return (alias ?? name).value
}
