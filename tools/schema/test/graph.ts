import { checkSchema, type Finding, type GraphState, type Outcome } from '../check.ts'

/** A small graph in which everything that can change is there once, and operations that use all of it. */
const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external",
  "@requires", "@provides", "@override", "@authenticated", "@requiresScopes", "@policy", "@inaccessible", "@cost", "@listSize"])
`
export const subgraphs: Record<string, string> = {
  shelf: `${link}
    type Query {
      book(id: ID!, edition: Int = 1, strict: Boolean! = true, format: Format): Book
      books(filter: BookFilter, first: Int = 20): [Book!] @listSize(assumedSize: 20)
      media: [Medium!]
      staff: [Person!] @requiresScopes(scopes: [["staff:read", "staff:all"]])
      vault: Vault
      review: Review @provides(fields: "rating")
    }
    type Mutation { lend(input: LendInput!): LendPayload @authenticated }
    interface Titled { title: String! }
    type Book implements Titled @key(fields: "id") @key(fields: "isbn") {
      id: ID!
      isbn: String!
      title: String!
      subtitle: String
      weight: Int!
      pages: Int
      old: String @deprecated(reason: "Use title.")
      format: Format!
      price: Price!
      hidden: String @inaccessible
    }
    type Film implements Titled { title: String! minutes: Int @shareable }
    union Medium = Book | Film
    type Person { id: ID! name: String! }
    type Vault @authenticated { gold: Int rule: String @policy(policies: [["vip"]]) }
    enum Format { PAPER CLOTH SOUND }
    input BookFilter { text: String pages: Int = 10 size: Int! = 1 format: Format }
    input LendInput { bookId: ID! days: Int }
    type LendPayload { book: Book! }
    type Price @shareable { amount: Int! currency: String! }
    type Review @key(fields: "id") { id: ID! rating: Int @external }
  `,
  post: `${link}
    type Query { parcel: Parcel }
    type Parcel { id: ID! cost: Price book: Book }
    type Price @shareable { amount: Int! currency: String! }
    type Book @key(fields: "isbn") {
      isbn: String!
      weight: Int! @external
      postage: Int @requires(fields: "weight")
      sender: String
    }
  `,
  talk: `${link}
    type Query { newest: Review }
    type Review @key(fields: "id") { id: ID! rating: Int @shareable text: String book: Book }
    type Book @key(fields: "id", resolvable: false) { id: ID! }
  `,
}

export const operations: Record<string, string> = {
  'web/ShowBook': `query ShowBook($id: ID!, $format: Format) {
    book(id: $id, edition: 1, strict: true, format: $format) {
      id isbn title subtitle weight pages old format price { amount currency } postage sender
    }
    vault { gold rule }
  }`,
  'web/Search': `query Search($filter: BookFilter) {
    books(filter: $filter) { id ... on Titled { title } }
    media { ... on Book { id } ... on Film { title minutes } }
    staff { id name }
    review { rating }
    newest { text book { title } }
    parcel { cost { amount } book { title sender } }
  }`,
  'desk/Lend': 'mutation Lend($input: LendInput!) { lend(input: $input) { book { id } } }',
  'desk/Plain': 'query Plain($id: ID!) { book(id: $id) { title } }',
}

export function stateOf(
  sdls: Record<string, string> = subgraphs,
  texts: Record<string, string> = operations,
  removals: GraphState['removals'] = [],
): GraphState {
  return {
    name: 'a graph',
    subgraphs: Object.entries(sdls).map(([name, sdl]) => ({
      name,
      url: `http://${name}`,
      file: `${name}.graphql`,
      sdl,
    })),
    operations: Object.entries(texts).map(([id, text]) => ({
      id,
      client: id.split('/')[0] ?? '',
      file: `${id}.graphql`,
      text,
    })),
    removals,
  }
}

/** What each subgraph's schema has in the place of what. */
export type Edits = Record<string, readonly (readonly [string, string])[]>

export function edited(edits: Edits, sdls = subgraphs): Record<string, string> {
  const result = { ...sdls }
  for (const [subgraph, replacements] of Object.entries(edits)) {
    for (const [from, to] of replacements) {
      const sdl = result[subgraph] ?? ''
      if (!sdl.includes(from)) throw new Error(`${subgraph} has no ${from}`)
      result[subgraph] = sdl.replace(from, to)
    }
  }
  return result
}

const order: readonly Outcome[] = ['passes', 'warns', 'fails']

/** The findings of a change, and the worst of their outcomes. */
export async function judge(edits: Edits, texts: Record<string, string>, removals: GraphState['removals'] = []) {
  const { findings } = await checkSchema(stateOf(subgraphs, texts), stateOf(edited(edits), texts, removals))
  const worst = Math.max(0, ...findings.map(({ outcome }) => order.indexOf(outcome)))
  return { findings: findings as readonly Finding[], outcome: order[worst] as Outcome }
}
