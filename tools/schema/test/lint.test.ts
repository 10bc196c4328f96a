import assert from 'node:assert/strict'
import { test } from 'node:test'
import { root } from '../../services.ts'
import { lineOf } from '../composition.ts'
import { readSubgraphs } from '../graph.ts'
import { lintSubgraphs } from '../lint.ts'
import { workingTree } from '../sources.ts'

const subgraphs = await readSubgraphs(workingTree(root))

/** The remarks on the shop's own schemas with a change of one. */
async function lint(subgraph: string, from: string, to: string): Promise<string[]> {
  const changed = subgraphs.map((source) => {
    if (source.name !== subgraph) return source
    assert.ok(source.sdl.includes(from), from)
    return { ...source, sdl: source.sdl.replaceAll(from, to) }
  })
  return (await lintSubgraphs(root, changed)).map(lineOf)
}

test('the schemas of the shop keep every convention', async () => {
  assert.deepEqual(await lintSubgraphs(root, subgraphs), [])
})

/** A convention, the subgraph that breaks it and how, and the remark. */
// biome-ignore format: a table, a line for each convention
const breaches: readonly (readonly [what: string, subgraph: string, from: string, to: string, remark: RegExp])[] = [
  ['a type without a description', 'products', 'type ProductEdge {', 'type Bare {\n "x"\n a: Int }\n type ProductEdge {', /require-description/],
  ['a field without a description', 'users', 'type UserEdge {', 'type UserEdge { bare: Int', /Description is required for field "bare".*require-description/],
  ['an argument without a description', 'products', 'categories: [Category!]', 'categories(deep: Boolean): [Category!]', /require-description/],
  ['an enum value without a description', 'products', 'enum ProductSort {', 'enum ProductSort { OLDEST', /require-description/],
  ['a field in another case', 'orders', '  trackingNumber: String\n', '  tracking_number: String\n', /naming-convention/],
  ['a type in another case', 'users', 'type UserEdge {', 'type userEdge2 {\n """\n x\n """\n a: Int }\n """\n x\n """\n type UserEdge {', /naming-convention/],
  ['an enum value in another case', 'products', '  PRICE_ASC\n', '  priceAsc\n', /naming-convention/],
  ['a connection without a page', 'products', '  pageInfo: PageInfo!\n', '  page: PageInfo!\n', /relay-connection-types/],
  ['a page that does not say how many', 'products', 'first: Int = 20', 'first: Int = 50', /products must take `first: Int = 20`/],
  ['a page that cannot go on', 'orders', '    after: String\n', '    behind: String\n', /orders must take `after: String`/],
  ['a list that is paged and no connection', 'products', 'categories: [Category!]', 'categories("""\nx\n""" first: Int = 20, """\nx\n""" after: String): [Category!]', /must be a connection/],
  ['an edge without a cursor', 'users', '  cursor: String!\n', '  place: String!\n', /relay-edge-types/],
  ['a mutation of another shape', 'products', '    input: CreateProductInput!\n', '    product: CreateProductInput!\n', /must take `input` and nothing else/],
  ['an input of another name', 'payments', 'PayOrderInput', 'PaymentInput', /PayOrderInput.*input-name/i],
  ['a mutation that answers with the thing itself', 'orders', '): OrderPayload @requiresScopes(scopes: [["orders:fulfil"]])', '): Order @requiresScopes(scopes: [["orders:fulfil"]])', /must answer with an object called \.\.\.Payload/],
  ['a root field that may not be null', 'users', '  me: User', '  me: User!', /Query\.me must be nullable: it is at the root/],
  ["a field on another's entity that may not be null", 'notifications', 'unreadNotificationCount: Int @auth', 'unreadNotificationCount: Int! @auth', /User\.unreadNotificationCount must be nullable: it is added to another subgraph's User/],
  ["a reference to another's entity that may not be null", 'orders', '  customer: User\n', '  customer: User!\n', /Order\.customer must be nullable: it is another subgraph's/],
  ['a list that holds null', 'orders', 'items: [OrderItem!]! @', 'items: [OrderItem]! @', /The items of a list must not be null: \[OrderItem!\]/],
  ['an id that is no ID', 'orders', '  productId: ID!', '  productId: String!', /productId identifies something, so it must be an ID/],
  ['a deprecation without a reason', 'orders', '  trackingNumber: String\n', '  trackingNumber: String @deprecated\n', /require-deprecation-reason/],
  ['a deprecation without a day', 'orders', '  trackingNumber: String\n', '  trackingNumber: String @deprecated(reason: "Use parcel.")\n', /must say until when it stays/],
  ['a deprecation with a day that there is not', 'orders', '  trackingNumber: String\n', '  trackingNumber: String @deprecated(reason: "Goes after 2027-13-45.")\n', /must say until when it stays/],
]

for (const [what, subgraph, from, to, remark] of breaches) {
  test(`${what} is remarked on, with its file and line`, async () => {
    const remarks = await lint(subgraph, from, to)
    assert.ok(
      remarks.some((line) => remark.test(line) && /^schema\/\w+\.graphql:\d+: /.test(line)),
      remarks.join('\n') || 'nothing was remarked on',
    )
  })
}
