import assert from 'node:assert/strict'
import { Agent, request } from 'undici'
import type { TestGateway } from '../infra/gateway.ts'

/** Orders that there are, each of one product. */
const orders = 3
const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])'
/** Of these `products` is the one that misbehaves, by a server in its place. */
export const subgraphs = {
  users: {
    sdl: `${link} type Query { me: User } type User { name: String! }`,
    resolvers: { Query: { me: () => ({ name: 'Eve' }) } },
  },
  orders: {
    sdl: `${link} type Query { orders: [Order!] } type Order { number: String! product: Product } type Product @key(fields: "id", resolvable: false) { id: ID! }`,
    resolvers: {
      Query: { orders: () => Array.from({ length: orders }, (_, n) => ({ number: `O${n}`, product: { id: `${n}` } })) },
    },
  },
  products: {
    sdl: `${link} type Query { products: [Product!] } type Product @key(fields: "id") { id: ID! name: String }`,
    resolvers: {},
  },
}
export const otherQuery = '{ me { name } orders { number } }'
/** What asks products alone, so that no queue but its own is full. */
export const productsQuery = '{ products { name } }'
export const mixedQuery = '{ me { name } orders { number product { name } } }'

export type Client = ReturnType<typeof createClient>

/** A client that holds every answer against what it must be. */
export function createClient({ url }: TestGateway, connections: number) {
  const agent = new Agent({ connections, headersTimeout: 30_000 })
  return {
    /** Asks, and holds what products does not own against what it is. Returns what stands in the place of the rest. */
    async ask(query: string): Promise<{ time: number; outcomes: string[] }> {
      const started = performance.now()
      const { body, statusCode } = await request(`${url}/graphql`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      })
      const { data, errors = [], extensions } = (await body.json()) as Answer
      const time = performance.now() - started
      assert.equal(statusCode, 200)
      if (query !== productsQuery) {
        assert.equal(data.me?.name, 'Eve')
        assert.deepEqual(
          data.orders?.map(({ number }) => number),
          ['O0', 'O1', 'O2'],
        )
      }
      // Of a value that is none for its field Apollo's executor tells there.
      const invalid = extensions?.valueCompletion ?? []
      if (query !== otherQuery && errors.length + invalid.length === 0) {
        const found = query === productsQuery ? data.products : data.orders?.map(({ product }) => product)
        assert.deepEqual(
          found?.map((product) => product?.name),
          ['Thing 0', 'Thing 1', 'Thing 2'],
        )
      }
      const places = [...errors, ...invalid].map(({ path, extensions: { code } }) => {
        return `${code} at ${path?.filter((part) => typeof part === 'string').join('.')}`
      })
      return { time, outcomes: [...new Set(places)] }
    },
    /** Fetches from products that are under way, and that wait. */
    async fetches(): Promise<number[]> {
      const { body } = await request(`${url}/metrics`, { dispatcher: agent })
      const text = await body.text()
      return ['under_way', 'waiting'].map((what) =>
        Number(new RegExp(`^subgraph_fetches_${what}\\{subgraph="products".*\\} (\\d+)$`, 'm').exec(text)?.[1]),
      )
    },
    close: () => agent.close(),
  }
}

type Answer = {
  data: {
    me?: { name: string }
    orders?: { number: string; product?: { name: string } | null }[]
    products?: { name: string }[] | null
  }
  errors?: AnswerError[]
  extensions?: { valueCompletion?: AnswerError[] }
}
type AnswerError = { path?: (string | number)[]; extensions: { code: string } }
