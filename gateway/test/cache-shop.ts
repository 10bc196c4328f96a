import { composeServices } from '@apollo/composition'
import { Kind, parse } from 'graphql'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMetrics } from '#platform/metrics.ts'
import type { Principal } from '#platform/principal.ts'
import { createChanges } from '../cache/changes.ts'
import { tellingCached } from '../cache/extension.ts'
import { createResponseCache } from '../cache.ts'
import { createChanges as createPassedOn } from '../forward/sharing.ts'
import { openGraph } from '../graph.ts'
import { tellingStale } from '../stale/extension.ts'
import { createStaleAnswers } from '../stale.ts'
import { cacheControl, serve } from './stale-shop.ts'
import { anonymous } from './things.ts'

const shop = `${cacheControl}
  type Query {
    thing(id: ID!, language: String): Thing @caching(scope: PUBLIC)
    found: [Thing] @caching(scope: PUBLIC, maxAge: 1)
    unmarked: Thing
    mine: Mine @caching(scope: PRIVATE, maxAge: 60)
  }
  type Mutation { change: Thing }
  type Mine { who: String @caching(scope: PRIVATE, maxAge: 60) }
  type Thing @key(fields: "id") {
    id: ID! @caching(scope: PUBLIC)
    name: String @caching(scope: PUBLIC)
    broken: String @caching(scope: PUBLIC)
    title(language: String): String @caching(scope: PUBLIC)
    price: Price @caching(scope: PUBLIC)
    quick: String @caching(scope: PUBLIC, maxAge: 1)
    stock: Int
    wish: String @caching(scope: PRIVATE, maxAge: 60)
    secret: String @caching(scope: PRIVATE)
  }
  type Price { amount: Int @caching(scope: PUBLIC) currency: String @caching(scope: PUBLIC) }`

const orders = `${cacheControl}
  type Query { items(ids: [ID!]!): [Item!] }
  type Mutation { order(ids: [ID!]!): Item }
  type Item { thing: Thing }
  type Thing @key(fields: "id") { id: ID! }`

type Caller = { who: string }
export type CacheShopOptions = {
  privates?: boolean
  told?: boolean
  maxAge?: number
  bytes?: number
  /** Whether the same fetches at the same time are one. */
  sharing?: boolean
}

/** A shop of two subgraphs behind a gateway that keeps answers. Things are named for how often something changed. */
export async function startCacheShop({ privates = false, told = true, ...rest }: CacheShopOptions = {}) {
  const { maxAge = 60, bytes = 2 ** 20, sharing = false } = rest
  let version = 1
  let hearing = true
  /** What answers wait for. */
  let gate: Promise<void> | undefined
  const thing = (id: string) => (id.startsWith('none') ? null : { id })
  const { url, asked, fail, stop } = await serve(shop, {
    Query: {
      thing: (_: unknown, { id }: { id: string }) => thing(id),
      found: () => [{ id: 'a' }, { id: 'b' }],
      unmarked: () => ({ id: 'a' }),
      mine: (_: unknown, __: unknown, { who }: Caller) => ({ who }),
    },
    Mutation: { change: () => ({ id: `a${version++}` }) },
    Thing: {
      __resolveReference: ({ id }: { id: string }) => thing(id),
      async name({ id }: { id: string }) {
        const name = `${id}${version}`
        await gate
        return name
      },
      broken({ id }: { id: string }) {
        if (id === 'b') throw new Error('broken')
        return 'whole'
      },
      title: (_: unknown, { language = null }: { language?: string | null }) => `in ${language}`,
      price: () => ({ amount: version, currency: 'EUR' }),
      quick: () => `quick${version}`,
      stock: () => 7,
      wish: (_: unknown, __: unknown, { who }: Caller) => `of ${who}`,
      secret: (_: unknown, __: unknown, { who }: Caller) => `of ${who}`,
    },
  })
  const items = (_: unknown, { ids }: { ids: string[] }) => ids.map((id) => ({ thing: { id } }))
  const other = await serve(orders, {
    Query: { items },
    Mutation: { order: (...args: Parameters<typeof items>) => items(...args)[0] },
  })
  const { supergraphSdl = '', errors } = composeServices([
    { name: 'shop', url, typeDefs: parse(shop) },
    { name: 'orders', url: other.url, typeDefs: parse(orders) },
  ])
  if (errors) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n'))
  const supergraph = parse(supergraphSdl)
  const metrics = createMetrics({ service: 'test' })
  const changes = createChanges()
  const cache = createResponseCache({
    ...{ changes, maxAge, bytes, privates, metrics },
    ...(told && { hears: () => hearing }),
  })
  const graph = await openGraph({
    supergraphSdl,
    subgraphTimeout: 30_000,
    stale: createStaleAnswers({ bytes: 2 ** 20, maxAge: () => 3_600 }).by(supergraph),
    cache: cache.by(supergraph),
    sharing: { isOn: () => sharing, changes: createPassedOn() },
    log,
  })
  const execute = tellingCached(tellingStale(graph.execute))
  return {
    changes,
    metrics,
    /** What the shop itself was asked. */
    asked,
    fail,
    /** From now on values are others. */
    change: () => void version++,
    /** The gateway is told so of one thing. */
    tell: (id: string, at = performance.now()) => changes.entity('Thing', { id }, at),
    hear: (hears: boolean) => {
      hearing = hears
    },
    /** Names are read and not answered, until what is given back is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return () => {
        gate = undefined
        resolve()
      }
    },
    async ask(query: string, { variables = {}, headers, ...who }: AskOptions = {}) {
      const document = parse(query, { noLocation: true })
      const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
      if (!operation) throw new Error('There is no operation.')
      const principal: Principal = { ...anonymous, ...(who.sub && { sub: who.sub, anonymous: false }), ...who.rights }
      const answer = await execute({
        ...{ document, hash: query, characters: query.length, operation, variables, coerced: variables },
        context: {
          ...{ principal, requestId: 'r', ...continueTrace({}), deadline: Date.now() + 5_000 },
          principalToken: who.sub ?? 'nobody',
          ...(headers && { headers }),
        },
      })
      const { data, errors = [], extensions = {} } = JSON.parse(JSON.stringify(answer))
      const failures = errors.map(({ path }: { path?: unknown[] }) => path?.join('.')).sort()
      return { data, errors: failures, cached: extensions.cached, stale: extensions.stale }
    },
    async stop() {
      await graph.close()
      await Promise.all([stop(), other.stop()])
    },
  }
}

type AskOptions = {
  variables?: Record<string, unknown>
  headers?: Record<string, string>
  /** The caller. Default: nobody. */
  sub?: string
  rights?: Partial<Pick<Principal, 'sid' | 'scopes'>>
}

export type CacheShop = Awaited<ReturnType<typeof startCacheShop>>
