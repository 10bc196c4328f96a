import { ApolloGateway } from '@apollo/gateway'
import type { GraphQLSchema } from 'graphql'
import type { Addresses, Policy } from '#platform/balancer.ts'
import { refuseVendorTelemetry } from '#platform/env.ts'
import type { ErrorCode } from '#platform/errors.ts'
import type { Log } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { type Executor, executorOf } from './executor.ts'
import { createForwarder, type Forwarder } from './forward.ts'
import type { Guards } from './resilience.ts'

export type GraphOptions = {
  supergraphSdl: string
  /** URLs of a subgraph's instances, of which the supergraph schema names one. Default: that one. */
  urlsOf?: (subgraph: string, url: string) => Addresses
  /** How fetches are shared among a subgraph's instances. Default round-robin. */
  policy?: () => Policy
  /** Milliseconds that one fetch from one subgraph may take. */
  subgraphTimeout: number
  /** What keeps one subgraph from taking the others down. Absent: nothing does. */
  guards?: Guards
  metrics?: Metrics
  log: Log
}

/** Query plans that the planner weighs for one operation, so that none keeps it busy for long. Apollo's default is 10000. */
const mostPlans = 1_000

/** What a supergraph schema gives to execute with: the schema that clients see, and an executor over its subgraphs. */
export async function openGraph(options: GraphOptions) {
  const { supergraphSdl, urlsOf, policy, subgraphTimeout, guards, metrics, log } = options
  refuseVendorTelemetry()
  const fetches = metrics?.histogram('subgraph_fetch_duration_seconds', 'Fetches from subgraphs.', ['subgraph'])
  const failures = metrics?.counter('subgraph_fetch_errors_total', 'Fetches without an answer, refused ones too.', [
    'subgraph',
    'code',
  ])
  const onFailure = (subgraph: string, code: ErrorCode) => failures?.inc({ subgraph, code })
  const onFetch = (subgraph: string, seconds: number) => fetches?.observe({ subgraph }, seconds)
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
        timeout: subgraphTimeout,
        onFetch,
        onFailure,
        guard: guards?.of(name),
        log,
      })
      forwarders.push(forwarder)
      return forwarder.dataSource
    },
  })
  const { schema, executor } = await gateway.load({ apollo: {} })
  return {
    schema: schema as GraphQLSchema,
    execute: executorOf(executor) satisfies Executor,
    forwarders: forwarders as readonly Forwarder[],
    async close(): Promise<void> {
      await gateway.stop()
      await Promise.all(forwarders.map(({ close }) => close()))
    },
  }
}
