import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { composeServices } from '@apollo/composition'
import { ApolloGateway } from '@apollo/gateway'
import { type GraphQLSchema, parse } from 'graphql'
import { compileCosts } from '../cost.ts'
import { createExecutor } from '../execution/executor.ts'
import { planningOf } from '../execution/planner.ts'
import type { GatewayContext } from '../executor.ts'
import { createOperations } from '../operations.ts'
import { partsIn, selectionsIn } from '../selections.ts'
import { anonymous } from './things.ts'

const typeDefs = parse('type Query { a: String b(n: Int): Query }')
const { supergraphSdl = '' } = composeServices([{ name: 'things', url: 'http://things', typeDefs }])
const gateway = new ApolloGateway({
  supergraphSdl,
  buildService: () => ({
    async process() {
      throw new Error('It only plans.')
    },
  }),
})
const schema = (await gateway.load({ apollo: {} })).schema as GraphQLSchema
await gateway.stop()

/** Bytes that may be remembered, and operations of which far fewer fit. */
const cacheBytes = 1024 ** 2
const many = 300
/** What is not of the caches, and goes to and fro. */
const noise = 512 * 1024
const kinds: Record<string, (n: number) => string> = {
  small: (n) => `query Q${n} { a }`,
  values: (n) => `query Q${n} { b(n: 1) @include(if: true) { a ${`a @skip(if: false) `.repeat(20)} } }`,
  long: (n) => `query Q${n} { ${'x'.repeat(20_000)}${n}: a }`,
  commented: (n) => `query Q${n} { an_alias_of_some_length: a } # ${'x'.repeat(20_000)}`,
  hidden: (n) => `query Q${n} { ${'x'.repeat(20_000)}${n}: __typename }`,
  wide: (n) => `query Q${n}($n: Int) { ${Array.from({ length: 15 }, (_, i) => `a${i}: b(n: $n) { a }`).join(' ')} }`,
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
const heap = () => {
  for (let n = 0; n < 4; n++) collect()
  return process.memoryUsage().heapUsed
}
const open = () =>
  createOperations({
    schema,
    limits: () => undefined,
    introspection: true,
    mostErrors: () => 1,
    costOf: compileCosts(parse(supergraphSdl), schema, { defaultListSize: 10 }),
    cacheBytes,
  })
const context: GatewayContext = { principal: anonymous, requestId: 'r', traceparent: '', deadline: Number.MAX_VALUE }

describe('what is remembered of operations', () => {
  for (const [kind, textOf] of Object.entries(kinds)) {
    test(`documents and their costs take no more than their bytes: ${kind}`, () => {
      const operations = open()
      const add = (n: number) => operations.prepare(textOf(n)).operations[0]?.cost().estimate({})
      add(many)
      const before = heap()
      for (let n = 0; n < many; n++) add(n)
      const taken = heap() - before
      assert.ok(taken < cacheBytes + noise, `${taken} bytes`)
      assert.equal(operations.known(textOf(0)), undefined)
      assert.ok(operations.known(textOf(many - 1)))
    })

    test(`plans and projections take no more than their bytes: ${kind}`, async () => {
      let planned = 0
      const planning = planningOf(gateway)
      const execute = createExecutor({
        schema,
        planning: {
          schema: planning.schema,
          plan(...asked) {
            planned++
            return planning.plan(...asked)
          },
        },
        send: async () => ({ data: {} }),
        cacheBytes,
      })
      const operations = open()
      const run = async (n: number) => {
        const text = textOf(n)
        const { document, hash, operations: all } = operations.prepare(text)
        const [operation] = all
        assert.ok(operation)
        const asked = { document, hash, characters: text.length, operation: operation.node }
        await execute({ ...asked, variables: {}, coerced: {}, context })
      }
      for (let n = 0; n < 10; n++) await run(many + n)
      const before = heap()
      for (let n = 0; n < many; n++) await run(n)
      const taken = heap() - before
      // The documents are held by their own cache.
      assert.ok(taken < 2 * cacheBytes + noise, `${taken} bytes`)
      const counted = planned
      await run(many - 1)
      assert.equal(planned, counted, 'the last is known')
      await run(0)
      assert.equal(planned, counted + 1, 'the first is forgotten')
    })
  }

  test('parts are counted once, and selections of a fragment as often as it is spread', () => {
    const document = parse('{ b { ...F } x: b { ...F } } fragment F on Query { a ... { y: a } }', { noLocation: true })
    const [operation, fragment] = document.definitions
    assert.ok(operation?.kind === 'OperationDefinition' && fragment?.kind === 'FragmentDefinition')
    assert.equal(selectionsIn(operation, new Map([['F', fragment]])), 10)
    assert.equal(partsIn(parse('{ a @skip(if: true) b(n: 1) { ...F } } fragment F on Query { a }')), 6)
  })
})
