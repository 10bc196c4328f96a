/** The graph that the gateways are compared on: four subgraphs of a shop. What they answer follows from the ids alone. */
import { composeServices } from '@apollo/composition'
import { buildSubgraphSchema, type GraphQLSchemaModule } from '@apollo/subgraph'
import { type GraphQLSchema, parse } from 'graphql'

export const subgraphNames = ['users', 'products', 'orders', 'reviews'] as const
export type SubgraphName = (typeof subgraphNames)[number]

type Reference = { id: string }
type Line = { productId: string; quantity: number }

const numbered = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n))
const euros = (amount: number) => ({ amount, currency: 'EUR' })
const priceOf = (id: string) => 990 + (Number(id) % 100) * 25

const userOf = ({ id }: Reference) => ({
  id,
  name: `Customer ${id}`,
  email: `customer.${id}@example.com`,
  locale: Number(id) % 2 ? 'en-GB' : 'de-DE',
  createdAt: '2026-01-01T08:00:00.000Z',
})
const productOf = ({ id }: Reference) => ({
  id,
  sku: `SKU-${id}`,
  name: `Product ${id}`,
  description: `What product ${id} is for, and how it is looked after.`,
  price: euros(priceOf(id)),
  category: { id: String(Number(id) % 7), name: `Category ${Number(id) % 7}` },
})
const itemOf = ({ productId, quantity }: Line) => ({
  product: { id: productId },
  quantity,
  unitPrice: euros(priceOf(productId)),
})
const totalOf = (lines: readonly Line[]) =>
  euros(lines.reduce((sum, { productId, quantity }) => sum + priceOf(productId) * quantity, 0))
const orderOf = (id: string, customer: string, lines: readonly Line[]) => ({
  id,
  number: `A-${id}`,
  status: 'PAID',
  placedAt: '2026-02-01T12:30:00.000Z',
  customer: { id: customer },
  items: lines.map(itemOf),
  total: totalOf(lines),
})
const storedOrder = (n: number) =>
  orderOf(
    String(n),
    String(n % 20),
    numbered(3, (line) => ({ productId: String((n * 3 + line) % 60), quantity: line + 1 })),
  )
const reviewsOf = (product: string, first: number) =>
  numbered(first, (n) => ({
    id: `${product}-${n}`,
    stars: 1 + ((Number(product) + n) % 5),
    text: `Review ${n} of product ${product}: it does what it should.`,
    author: { id: String((Number(product) + n) % 20) },
  }))

const link = (...imports: string[]) =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"${imports.map((name) => `, "${name}"`).join('')}])
   type Money @shareable { amount: Int! currency: String! }`

/**
 * The schema of a subgraph. `guarded` puts access rules and costs on what is asked for, which @apollo/gateway by itself does
 * not load.
 */
function sdlOf(name: SubgraphName, guarded: boolean): string {
  const on = (directive: string) => (guarded ? directive : '')
  const signedIn = on('@authenticated')
  const scope = (name: string) => on(`@requiresScopes(scopes: [["${name}"]])`)
  const list = (argument: string) => on(`@listSize(slicingArguments: ["${argument}"])`)
  const sdls: Record<SubgraphName, string> = {
    users: `
      type Query { user(id: ID!): User ${signedIn} }
      type User @key(fields: "id") {
        id: ID! name: String! email: String! ${scope('users:read')} locale: String! createdAt: String!
      }`,
    products: `
      type Query { product(id: ID!): Product products(first: Int = 20): [Product!] ${list('first')} }
      type Product @key(fields: "id") {
        id: ID! sku: String! name: String! description: String! price: Money! category: Category!
      }
      type Category { id: ID! name: String! }`,
    orders: `
      type Query {
        orders(first: Int = 20, skip: Int = 0): [Order!] ${scope('orders:read')} ${list('first')}
        quote(lines: [LineInput!]!): Quote ${signedIn}
      }
      type Mutation { placeOrder(input: PlaceOrderInput!): Order ${signedIn} }
      input LineInput { productId: ID! quantity: Int! }
      input PlaceOrderInput { customerId: ID! lines: [LineInput!]! reference: String! note: String }
      type Quote { total: Money! items: [Item!]! ${on('@listSize(assumedSize: 25)')} }
      type Order @key(fields: "id") {
        id: ID! number: String! status: OrderStatus! placedAt: String! customer: User
        items: [Item!]! ${on('@listSize(assumedSize: 3)')} total: Money!
      }
      type Item { product: Product quantity: Int! unitPrice: Money! }
      enum OrderStatus { PENDING PAID SHIPPED }
      type User @key(fields: "id", resolvable: false) { id: ID! }
      type Product @key(fields: "id", resolvable: false) { id: ID! }`,
    reviews: `
      type Product @key(fields: "id") { id: ID! reviews(first: Int = 3): [Review!] ${list('first')} }
      type User @key(fields: "id") { id: ID! reviewCount: Int! ${scope('users:read')} }
      type Review { id: ID! stars: Int! text: String! author: User ${signedIn} }`,
  }
  return link(...(guarded ? ['@authenticated', '@requiresScopes', '@listSize'] : [])) + sdls[name]
}

const resolvers: Record<SubgraphName, GraphQLSchemaModule['resolvers']> = {
  users: {
    Query: { user: (_: unknown, reference: Reference) => userOf(reference) },
    User: { __resolveReference: userOf },
  },
  products: {
    Query: {
      product: (_: unknown, reference: Reference) => productOf(reference),
      products: (_: unknown, { first }: { first: number }) => numbered(first, (n) => productOf({ id: String(n) })),
    },
    Product: { __resolveReference: productOf },
  },
  orders: {
    Query: {
      orders: (_: unknown, { first, skip }: { first: number; skip: number }) =>
        numbered(first, (n) => storedOrder(skip + n)),
      quote: (_: unknown, { lines }: { lines: Line[] }) => ({ total: totalOf(lines), items: lines.map(itemOf) }),
    },
    Mutation: {
      placeOrder: (_: unknown, { input }: { input: { customerId: string; lines: Line[]; reference: string } }) =>
        orderOf(input.reference, input.customerId, input.lines),
    },
  },
  reviews: {
    Product: { reviews: ({ id }: Reference, { first }: { first: number }) => reviewsOf(id, first) },
    User: { reviewCount: ({ id }: Reference) => Number(id) % 9 },
  },
}

/** A subgraph that answers. */
export function subgraphSchema(name: SubgraphName): GraphQLSchema {
  const schema = resolvers[name]
  return buildSubgraphSchema([{ typeDefs: parse(sdlOf(name, false)), ...(schema && { resolvers: schema }) }])
}

/** What the subgraphs compose to. Throws where they do not. */
export function composeGraph(urls: Readonly<Record<SubgraphName, string>>, { guarded }: { guarded: boolean }): string {
  const services = subgraphNames.map((name) => ({
    name,
    url: urls[name],
    typeDefs: parse(sdlOf(name, guarded)),
  }))
  const { supergraphSdl, errors = [] } = composeServices(services)
  if (!supergraphSdl) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n'))
  return supergraphSdl
}
