/**
 * `npm run bench:schema-check`: how long the schema check takes on this graph, and on a generated one of 20 subgraphs and 2000
 * types with 100 operations over all of them. Each has a change in every subgraph, so that everything is compared.
 */
import { checkSchema, type GraphState, readState } from '../tools/schema/check.ts'
import { workingTree } from '../tools/schema/sources.ts'
import { root } from '../tools/services.ts'

const [subgraphCount, typesEach, operationCount] = [20, 100, 100]
const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated"])'

/** Types of one subgraph, of which one in ten is an entity that the next subgraph adds to. */
function generated(index: number): string {
  const types = Array.from({ length: typesEach }, (_, at) => {
    const name = `T${index}x${at}`
    const key = at % 10 === 0 ? '@key(fields: "id")' : ''
    const next = `T${index}x${(at + 1) % typesEach}`
    return `"A thing." type ${name} ${key} { id: ID! a: Int b(first: Int = 10): String! c: [String!] d: Float e: Boolean next: ${next} }`
  })
  const before = (index + subgraphCount - 1) % subgraphCount
  const added = Array.from(
    { length: typesEach / 10 },
    (_, at) => `type T${before}x${at * 10} @key(fields: "id") { id: ID! from${index}: T${index}x${at * 10} }`,
  )
  return `${link} type Query { get${index}(id: ID!): T${index}x0 } ${[...types, ...added].join('\n')}`
}

function state(name: string, sdlOf: (index: number) => string): GraphState {
  const subgraphs = Array.from({ length: subgraphCount }, (_, index) => ({
    name: `s${index}`,
    url: `http://s${index}`,
    file: `s${index}.graphql`,
    sdl: sdlOf(index),
  }))
  const operations = Array.from({ length: operationCount }, (_, at) => {
    const [here, next] = [at % subgraphCount, (at + 1) % subgraphCount]
    const id = `client${at % 5}/Op${at}`
    const text = `query Op${at}($id: ID!) { get${here}(id: $id) { a b c next { d e next { a } } from${next} { a next { b } } } }`
    return { id, client: `client${at % 5}`, file: `${id}.graphql`, text }
  })
  return { name, subgraphs, operations, removals: [] }
}

async function timed(what: string, before: GraphState, after: GraphState): Promise<void> {
  const started = performance.now()
  const { findings } = await checkSchema(before, after)
  const seconds = ((performance.now() - started) / 1_000).toFixed(2)
  const failed = findings.filter(({ outcome }) => outcome === 'fails').length
  const memory = (process.memoryUsage().rss / 2 ** 20).toFixed(0)
  console.log(`${what}: ${seconds} s, ${findings.length} changes, of which ${failed} break an operation; ${memory} MB`)
}

const shop = await readState(workingTree(root))
const changedShop = {
  ...shop,
  subgraphs: shop.subgraphs.map((source) => ({
    ...source,
    sdl: `${source.sdl}\n"""\nNew.\n"""\nscalar New_${source.name}\n`,
  })),
}
await timed('this graph', shop, changedShop)

const big = state('generated', generated)
/** A field is new on one type, and gone from another that operations ask for. */
const changedBig = state('generated', (index) =>
  generated(index)
    .replace('a: Int b', 'a: Int new: Int b')
    .replace(new RegExp(`(type T${index}x1 .*) d: Float`), '$1'),
)
await timed(`a graph of ${subgraphCount} subgraphs and ${subgraphCount * typesEach} types`, big, changedBig)
