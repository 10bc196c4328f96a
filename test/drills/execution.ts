import assert from 'node:assert/strict'
import { ApolloGateway } from '@apollo/gateway'
import fc from 'fast-check'
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  parse,
  type SelectionNode,
  separateOperations,
  validate,
  visit,
} from 'graphql'
import { createExecutor } from '../../gateway/execution/executor.ts'
import { planningOf } from '../../gateway/execution/planner.ts'
import type { GatewayContext } from '../../gateway/executor.ts'
import { isIncluded } from '../../gateway/selections.ts'
import type { Drill } from './drill.ts'
import { type RandomGraph, randomGraph } from './execution-graphs.ts'
import { choices, operationOf } from './execution-operations.ts'

const context: GatewayContext = {
  principal: { sub: null, sid: null, scopes: [], anonymous: true, address: null },
  requestId: 'r',
  traceparent: '',
  deadline: Number.POSITIVE_INFINITY,
}

type Apollo = Awaited<ReturnType<ApolloGateway['load']>>

async function openGateway({ supergraphSdl, answer }: RandomGraph) {
  const gateway = new ApolloGateway({
    supergraphSdl,
    buildService: ({ name }) => ({
      process: async ({ request: { query = '', variables = {} } }) =>
        (await answer(name, query, variables)) as { data: Record<string, unknown> },
    }),
  })
  const { schema, executor } = await gateway.load({ apollo: {} })
  return { gateway, schema: schema as GraphQLSchema, executor }
}

export const execution: Drill = {
  summary: 'graphs, data, failures and operations made at random: answered as by Apollo’s own executor',
  async run({ short, print, seed = Math.floor(Math.random() * 2 ** 31) }) {
    const [graphs, each] = short ? [25, 12] : [400, 50]
    print(`seed ${seed}: npm run drill -- execution ${seed} makes the same again`)
    const tally = { composed: 0, operations: 0, failing: 0, paths: 0, thrown: 0 }
    let throwing = 0
    const operations = fc.array(choices, { minLength: each, maxLength: each })
    const property = fc.asyncProperty(randomGraph, operations, async (graph, all) => {
      if (!graph) return
      tally.composed += 1
      const { gateway, schema, executor } = await openGateway(graph)
      const execute = createExecutor({
        schema,
        planning: planningOf(gateway),
        send: (subgraph, { operation }, { text }) => graph.answer(subgraph, operation, JSON.parse(text)),
      })
      const { thrown } = tally
      try {
        for (const numbers of all) await compare(schema, executor, execute, numbers, tally)
      } finally {
        await gateway.stop()
      }
      if (tally.thrown > thrown) throwing += 1
      if (tally.composed % 20 === 0) print(`${tally.composed} graphs, ${tally.operations} operations: no difference`)
    })
    const found = await fc.check(property, { seed, numRuns: graphs, endOnFailure: true })
    assert.ok(!found.failed, (found.errorInstance as Error | undefined)?.message)
    const { composed, failing, paths, thrown } = tally
    print(`${tally.operations} operations on ${composed} graphs: the same data, codes and words of errors`)
    print(
      `${failing} with errors: ${paths} placed as Apollo places them, ${failing - paths} at the entity that was meant`,
    )
    print(`${thrown} at which Apollo's executor throws, and ours answers`)
    // Where it throws at one operation of a graph it may at others.
    assert.ok(throwing <= Math.max(1, composed / 50))
    assert.ok(composed > graphs / 3 && tally.operations > composed * 6, 'most of what is made at random is executed')
  },
}

async function compare(
  schema: GraphQLSchema,
  apollo: Apollo['executor'],
  execute: ReturnType<typeof createExecutor>,
  numbers: readonly number[],
  tally: { operations: number; failing: number; paths: number; thrown: number },
): Promise<void> {
  const { text, variables } = operationOf(schema, numbers)
  const document = parse(text, { noLocation: true })
  if (validate(schema, document).length > 0) return
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  assert.ok(operation)
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables)
  assert.ok(coerced)
  const resolved = withoutConditions(document, coerced)
  if (!resolved) return
  const operationName = 'Random'
  const request = {
    request: { variables, operationName },
    // Apollo's planner leaves out more than the conditions do (gateway/execution/planned-form.ts).
    ...resolved,
    queryHash: text,
    operationName,
    context,
    metrics: {},
  }
  const ours = await execute({ document, hash: text, characters: text.length, operation, variables, coerced, context })
  tally.operations += 1
  let theirs: Awaited<ReturnType<typeof apollo>>
  try {
    theirs = await apollo(request as unknown as Parameters<typeof apollo>[0])
  } catch (error) {
    // Apollo's executor takes something for a list that is none, and throws: there is nothing to compare then.
    assert.match(String(error), /flatMap is not a function/)
    assert.ok(ours.data, text)
    tally.thrown += 1
    return
  }
  // Apollo's executor puts the fields of fragments elsewhere. Ours stand as the specification has them.
  assert.deepEqual(plain(ours.data), plain(theirs.data), text)
  const [mine, other] = [ours.errors ?? [], theirs.errors ?? []].map((errors) => errors.map(told).sort())
  if (other?.length === 0) return assert.deepEqual(mine, [])
  tally.failing += 1
  assert.deepEqual(mine?.map(withoutPath), other?.map(withoutPath))
  if (JSON.stringify(mine) === JSON.stringify(other)) tally.paths += 1
  for (const error of ours.errors ?? []) leadsThere(ours.data, error)
}

/** What the conditions leave of an operation. Undefined where that is nothing for some field: this can be written only with them. */
function withoutConditions(document: DocumentNode, coerced: Readonly<Record<string, unknown>>) {
  const leave = (node: SelectionNode) => (isIncluded(node, coerced) ? { ...node, directives: [] as const } : null)
  const left: DocumentNode = visit(document, { Field: leave, InlineFragment: leave, FragmentSpread: leave })
  let isEmpty = false
  visit(left, {
    SelectionSet({ selections }) {
      isEmpty ||= selections.length === 0
    },
  })
  const operation = left.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
  if (isEmpty || !operation) return undefined
  // The planner makes fetches of whatever fragments there are.
  const [asked] = Object.values(separateOperations(left))
  return { document: asked ?? left, operation }
}

const plain = (data: unknown) => JSON.parse(JSON.stringify(data ?? null))
const told = ({ message, path, extensions }: GraphQLError) =>
  `${message} | ${extensions?.['code']} | ${path?.join('.')}`
const withoutPath = (text: string) => text.split(' | ').slice(0, 2).join()

/** The place of an error that names an entity is one of that entity, as far as there is an object left. */
function leadsThere(data: unknown, { message, path = [] }: GraphQLError): void {
  const named = /^(E\d|Node):(\w+)\.\w+ fails$/.exec(message)
  if (!named) return
  let at = data
  for (const key of path.slice(0, -1)) {
    if (typeof at !== 'object' || at === null) return
    at = (at as Record<string | number, unknown>)[key]
  }
  if (typeof at !== 'object' || at === null || !('id' in at)) return
  assert.equal(at.id, named[2], `${message} at ${path.join('.')}`)
}
