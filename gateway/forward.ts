import type { GraphQLDataSource } from '@apollo/gateway'
import { type FieldNode, type FragmentDefinitionNode, Kind, parse, type SelectionSetNode } from 'graphql'
import type { Addresses, Policy } from '#platform/balancer.ts'
import { ServiceError } from '#platform/errors.ts'
import { createFailover } from '#platform/failover.ts'
import { graphqlError } from '#platform/http.ts'
import { createHttpPool, httpFailure, isLate, takesLeave } from '#platform/http-pool.ts'
import type { Log } from '#platform/log.ts'
import { timedOut, unavailable } from '#platform/mask.ts'
import { type Response, readResponse } from './forward/response.ts'
import { type Guard, isRefusal } from './resilience.ts'
import { markStale, type StaleMarks } from './stale/marks.ts'
import type { Recalled, StaleAnswers } from './stale.ts'

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
  /** Takes down what is answered from memory. Absent: nothing may be. */
  readonly stale?: StaleMarks
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
  /** What answers when a fetch of entities fails. Absent: nothing. */
  stale?: ReturnType<StaleAnswers['of']> | undefined
  log: Log
}

/** Bytes of a response, at the most. */
const responseLimit = 16 * 1024 * 1024
/** Errors reported for one failed fetch, however many fields it leaves empty. */
const mostErrors = 100

type Fetch = { query: string; variables: Record<string, unknown>; operationName?: string }

/**
 * Fetches from one subgraph, from one of its instances and, when that fails on the way, once more: a query always, a mutation
 * only when nothing was sent. A fetch that fails is an answer without data and with an error at each field it was for, so
 * that the rest of the client's operation is answered and the client sees what is missing.
 */
export function createForwarder({ name, urls, policy, timeout, onFetch, guard, stale, log }: ForwarderOptions) {
  const failover = createFailover({
    addresses: urls,
    ...(policy && { policy }),
    open(url) {
      const { origin, pathname, search } = new URL(url)
      return { path: `${pathname}${search}`, pool: createHttpPool(origin, { answerLimit: responseLimit }) }
    },
    close: ({ pool }) => pool.close(),
    failureOf: httpFailure,
    noInstance: () => unavailable(name),
  })

  async function send(fetch: Fetch, context: FetchContext): Promise<Response> {
    const end = Math.min(Date.now() + timeout, context.deadline)
    const timeLeft = () => end - Date.now()
    const body = JSON.stringify(fetch)
    const entities = representationsOf(fetch)?.length
    try {
      return await failover.call(
        async ({ pool, path }, onLeave) => {
          const time = timeLeft()
          if (time <= 0) throw timedOut(name)
          const headers = headersOf(context, time)
          const signal = signalOf(fetch, context, time)
          const response = await pool.request({ method: 'POST', path, headers, body, signal })
          if (takesLeave(response.headers)) onLeave()
          return readResponse(response, entities)
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
      const { headers, signal, stale: marks } = context as FetchContext
      const began = performance.now()
      const asked = () => measured(fetch, context as FetchContext)
      let response: Response
      try {
        response = await (guard ? guard.fetch(context as FetchContext, asked) : asked())
      } catch (error) {
        const usable = marks && !signal?.aborted && !isRefusal(error)
        const recalled = usable ? stale?.recall({ query, variables, headers }, performance.now()) : undefined
        const { data, errors } = missing(fetch, error as ServiceError, recalled)
        return recalled && marks ? { data, errors: [...errors, ...markStale(marks, name, recalled)] } : { data, errors }
      }
      stale?.remember({ query, variables, headers }, response, began)
      return response
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

/** The entities that a fetch is for. Undefined for one of root fields. */
function representationsOf({ variables }: Fetch): { __typename: string }[] | undefined {
  return (variables as { representations?: { __typename: string }[] }).representations
}

/** What ends a fetch: its time, and for a query also that the client is gone. A mutation that was sent is left to finish. */
function signalOf(fetch: Fetch, { signal }: FetchContext, time: number): AbortSignal {
  const late = AbortSignal.timeout(time)
  return signal && isQuery(fetch) ? AbortSignal.any([signal, late]) : late
}

/** Whether a fetch changes nothing. Planned fetches hold one operation, which comes first. */
function isQuery({ query }: Fetch): boolean {
  return /^\s*(query\b|\{)/.test(query)
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

/** The answer of a fetch that failed: every field it was for is null, with the error at its path, but for what is recalled. */
function missing(fetch: Fetch, error: ServiceError, recalled?: Recalled) {
  const { query } = fetch
  const { definitions } = parse(query, { noLocation: true })
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  const operation = definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  const fields = operation ? fieldsOf(operation.selectionSet, undefined, fragments) : []
  const representations = representationsOf(fetch)
  const [entities] = fields
  const paths =
    representations && entities?.selectionSet
      ? representations.flatMap(({ __typename }, index) =>
          fieldsOf(entities.selectionSet, __typename, fragments)
            .map(responseName)
            .filter((field) => !Object.hasOwn(recalled?.entities[index] ?? {}, field))
            .map((field) => ['_entities', index, field]),
        )
      : fields.map((field) => [responseName(field)])
  return {
    data: representations ? { _entities: recalled?.entities ?? representations.map(() => null) } : null,
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
