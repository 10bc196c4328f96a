import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { composeServices } from '@apollo/composition'
import { buildSubgraphSchema, type GraphQLSchemaModule } from '@apollo/subgraph'
import { graphql, Kind, parse } from 'graphql'
import { continueTrace } from '#platform/context.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMetrics } from '#platform/metrics.ts'
import { openGraph } from '../graph.ts'
import { createGuards } from '../resilience.ts'
import { tellingStale } from '../stale/extension.ts'
import { createStaleAnswers } from '../stale.ts'
import { anonymous } from './things.ts'

export const cacheControl = `
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@composeDirective"])
    @link(url: "https://specs.commerce.example/cacheControl/v0.1", import: [{ name: "@cacheControl", as: "@caching" }])
    @composeDirective(name: "@caching")
  directive @caching(maxAge: Int, scope: cacheControl__Scope) on FIELD_DEFINITION | OBJECT
  enum cacheControl__Scope { PUBLIC PRIVATE }`

const shop = `${cacheControl}
  type Query { top: Thing }
  type Thing @key(fields: "id") {
    id: ID! @caching(scope: PUBLIC)
    name: String @caching(scope: PUBLIC)
    title(language: String): String @caching(scope: PUBLIC)
    must: String! @caching(scope: PUBLIC)
    price: Price @caching(scope: PUBLIC)
    owner: Owner @caching(scope: PUBLIC)
    stock: Int
    mine: String
    brief: String @caching(maxAge: 0, scope: PUBLIC)
      }
  type Price { amount: Int @caching(scope: PUBLIC) currency: String @caching(scope: PUBLIC) }
  type Owner @key(fields: "id") @caching(scope: PUBLIC) { id: ID! @caching(scope: PUBLIC) label: String @caching(scope: PUBLIC) secret: String }`

const orders = `${cacheControl}
  type Query { items: [Item!] }
  type Mutation { order: Item }
  type Item { note: String! thing: Thing }
  type Thing @key(fields: "id") { id: ID! }
  type Owner @key(fields: "id") { id: ID! email: String }`

/** Who asks, as the gateway vouches for them. */
type Caller = { who: string }

/** A shop of two subgraphs, the public fields of one of which are remembered. */
export async function startStaleShop({ breakers = false, timeout = 10_000 } = {}) {
  let version = 1
  const ids = ['a', 'b']
  const removed = new Set<string>()
  const things = {
    Query: { top: () => ({ id: 'a' }) },
    Thing: {
      __resolveReference: ({ id }: { id: string }) => (removed.has(id) ? null : { id }),
      name: ({ id }: { id: string }) => `${id}${version}`,
      title: ({ id }: { id: string }, { language }: { language?: string }) => `${id} in ${language}`,
      must: () => 'must',
      price: () => ({ amount: version, currency: 'EUR' }),
      owner: () => ({ id: 'o', label: 'label', secret: 'secret' }),
      stock: () => 7,
      mine: (_thing: unknown, _args: unknown, { who }: Caller) => `of ${who}`,
      brief: () => 'brief',
    },
    Owner: { __resolveReference: (owner: object) => owner },
  }
  const items = () => ids.map((id) => ({ note: `note ${id}`, thing: { id } }))
  const bought = {
    Query: { items },
    Mutation: { order: () => items()[0] },
    Owner: { __resolveReference: (owner: object) => owner, email: (_: unknown, __: unknown, { who }: Caller) => who },
  }
  const subgraphs = { shop: await serve(shop, things), orders: await serve(orders, bought) }
  const services = [
    { name: 'shop', url: subgraphs.shop.url, typeDefs: parse(shop) },
    { name: 'orders', url: subgraphs.orders.url, typeDefs: parse(orders) },
  ]
  const { supergraphSdl = '', errors } = composeServices(services)
  if (errors) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n'))
  const metrics = createMetrics({ service: 'test' })
  const rules = {
    opens: { ratio: 0.6, calls: 3, window: 10_000 },
    ...{ openTime: 60_000, probes: 3, slowCall: 0 },
  } as const
  const stale = createStaleAnswers({
    bytes: 1_000_000,
    maxAge: () => 3_600,
    metrics,
  })
  const guards = createGuards({ rules: () => rules, limits: () => ({ concurrency: 100, queue: 100 }), log })
  const graph = await openGraph({
    supergraphSdl,
    subgraphTimeout: timeout,
    ...(breakers && { guards }),
    stale: stale.by(parse(supergraphSdl)),
    log,
  })
  const execute = tellingStale(graph.execute)
  return {
    stale,
    metrics,
    degraded: () => guards.degraded(new Set(['shop'])),
    shop: subgraphs.shop,
    /** From now on values are others. */
    change: () => void version++,
    /** There is no such thing any longer. */
    remove: (id: string) => void removed.add(id),
    async ask(
      query: string,
      { who = 'Eve', variables = {} }: { who?: string; variables?: Record<string, unknown> } = {},
    ) {
      const document = parse(query, { noLocation: true })
      const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
      if (!operation) throw new Error('There is no operation.')
      const trace = continueTrace({})
      const context = {
        principal: anonymous,
        requestId: 'r',
        ...trace,
        deadline: Date.now() + 5_000,
        principalToken: who,
      }
      const asked = { document, hash: query, characters: query.length, operation }
      const answer = await execute({ ...asked, variables, coerced: variables, context })
      const { data, errors = [], extensions } = JSON.parse(JSON.stringify(answer))
      return {
        data,
        extensions,
        errors: errors.map(({ path, extensions: { code } }: Failure) => `${code} ${path?.join('.')}`).sort(),
      }
    },
    async stop() {
      await graph.close()
      await Promise.all(Object.values(subgraphs).map(({ stop }) => stop()))
    },
  }
}

type Failure = { path?: (string | number)[]; extensions: { code: string } }
export type StaleShop = Awaited<ReturnType<typeof startStaleShop>>

/** A subgraph in this process. */
export async function serve(sdl: string, resolvers: GraphQLSchemaModule['resolvers']) {
  const schema = buildSubgraphSchema([{ typeDefs: parse(sdl), ...(resolvers && { resolvers }) }])
  let failure: number | 'silent' | 'gone' | undefined
  const asked: { query: string; variables?: Record<string, unknown> }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    if (failure === 'gone') return void request.socket.destroy()
    if (failure === 'silent') return
    if (failure) return void response.writeHead(failure).end()
    const { query: source, variables: variableValues } = JSON.parse(Buffer.concat(chunks).toString())
    asked.push({ query: source, variables: variableValues })
    const contextValue = { who: String(request.headers['x-principal']) }
    const answer = await graphql({ schema, source, variableValues, contextValue })
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    /** What it was asked and has answered, or is about to. */
    asked,
    /** From now on: breaks connections, says nothing, or answers with a status. Undefined: works. */
    fail: (how: typeof failure) => {
      failure = how
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
