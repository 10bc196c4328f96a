import { ApolloGateway, type GraphQLDataSource } from '@apollo/gateway'
import type { GraphQLSchema } from 'graphql'
import type { Addresses, Policy } from '#platform/balancer.ts'
import { refuseVendorTelemetry } from '#platform/env.ts'
import type { ErrorCode } from '#platform/errors.ts'
import type { Log } from '#platform/log.ts'
import type { Send } from './cache/question.ts'
import { createExecutor } from './execution/executor.ts'
import { planningOf } from './execution/planner.ts'
import { createForwarder, type Forwarder, type Sharing } from './forward.ts'
import type { Guards } from './resilience.ts'
import type { StaleAnswers } from './stale.ts'
import { mostPlans } from './supergraph.ts'

export type GraphOptions = {
  supergraphSdl: string
  /** URLs of a subgraph's instances, of which the supergraph schema names one. Default: that one. */
  urlsOf?: (subgraph: string, url: string) => Addresses
  /** How fetches are shared among a subgraph's instances. Default round-robin. */
  policy?: () => Policy
  /** Whether subgraphs are asked by HTTP/2. Default false. */
  http2?: boolean
  /** Milliseconds that one fetch from one subgraph may take. */
  subgraphTimeout: number
  /** What keeps one subgraph from taking the others down. Absent: nothing does. */
  guards?: Guards
  /** Queries that are the same, on their way to one subgraph at the same time, are made once. Absent: each is made. */
  sharing?: Sharing
  /** What answers for a subgraph that does not. Absent: nothing. */
  stale?: StaleAnswers | undefined
  /** What fetches go through before they are sent. Absent: nothing. */
  cache?: ((send: Send) => Send) | undefined
  /** Told of each fetch, and of the seconds it took, whatever came of it. */
  onFetch?: (subgraph: string, seconds: number) => void
  /** Told of each fetch that came to nothing, also of one that was not made. */
  onFailure?: (subgraph: string, code: ErrorCode) => void
  log: Log
}

/** Apollo's gateway plans here, and fetches nothing. */
const unused: GraphQLDataSource = {
  async process() {
    throw new Error('Fetches are made by gateway/execution/.')
  },
}

/** What a supergraph schema gives to execute with: the schema that clients see, and an executor over its subgraphs. */
export async function openGraph(options: GraphOptions) {
  const {
    supergraphSdl,
    urlsOf,
    policy,
    http2,
    subgraphTimeout,
    guards,
    sharing,
    stale,
    cache,
    onFetch,
    onFailure,
    log,
  } = options
  refuseVendorTelemetry()
  const forwarders: Forwarder[] = []
  const gateway = new ApolloGateway({
    supergraphSdl,
    queryPlannerConfig: { debug: { maxEvaluatedPlans: mostPlans } },
    buildService({ name, url = '' }) {
      const urls = urlsOf?.(name, url) ?? [url]
      const forwarder = createForwarder({
        name,
        urls,
        ...(policy && { policy }),
        http2,
        timeout: subgraphTimeout,
        ...(onFetch && { onFetch }),
        ...(onFailure && { onFailure }),
        guard: guards?.of(name),
        sharing,
        stale: stale?.of(name),
        log,
      })
      forwarders.push(forwarder)
      return unused
    },
  })
  const { schema } = await gateway.load({ apollo: {} })
  const planning = planningOf(gateway)
  const byName = new Map(forwarders.map((forwarder) => [forwarder.name, forwarder]))
  const send: Send = (subgraph, fetch, variables, context) => {
    const forwarder = byName.get(subgraph)
    if (!forwarder) throw new Error(`There is no subgraph ${subgraph}.`)
    return forwarder.fetch(fetch, variables, context)
  }
  const execute = createExecutor({ schema: schema as GraphQLSchema, planning, send: cache?.(send) ?? send })
  return {
    schema: schema as GraphQLSchema,
    /** Plans an operation and fetches nothing. Throws for one that cannot be planned. */
    plan: planning.plan,
    execute,
    /** The plans that are kept now. */
    heldPlans: execute.held,
    forwarders: forwarders as readonly Forwarder[],
    async close(): Promise<void> {
      await gateway.stop()
      await Promise.all(forwarders.map(({ close }) => close()))
    },
  }
}
