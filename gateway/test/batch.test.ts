import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildSchema, parse } from 'graphql'
import { silentLog as log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import { compileCosts } from '../cost.ts'
import { createOperations } from '../operations.ts'
import { createPipeline } from '../pipeline.ts'
import { anonymous } from './things.ts'

test('others are served between the operations of a batch, also while these are planned', async () => {
  const typeDefs = 'type Query { a: Int }'
  const schema = buildSchema(typeDefs)
  let begun = 0
  /** How many were begun when it was the turn of others. */
  const seen: number[] = []
  const answer = createPipeline({
    persisted: { resolve: async ({ query = '' }) => ({ text: query }), admit() {} },
    operations: createOperations({
      schema,
      limits: () => undefined,
      introspection: true,
      mostErrors: () => 10,
      costOf: compileCosts(parse(typeDefs), schema, { defaultListSize: 10 }),
    }),
    async execute() {
      begun += 1
      setImmediate(() => seen.push(begun))
      return { data: { a: 1 } }
    },
    degraded: () => [],
    maxCost: () => undefined,
    chargesCost: () => false,
    mostErrors: () => 10,
    formatError: (formatted) => formatted,
    mask: createMask({ service: 'test', log }),
  })
  const context = { principal: anonymous, requestId: 'r', traceparent: '', deadline: Number.POSITIVE_INFINITY }
  const call = { context, safe: false, reportCost: false, charge: async () => ({}) }
  const operations = Array.from({ length: 5 }, () => ({ query: '{ a }', variables: {}, extensions: {} }))
  const { body } = await answer({ operations, batch: true }, call)
  assert.equal((body as unknown[]).length, 5)
  await new Promise(setImmediate)
  assert.deepEqual(seen, [1, 2, 3, 4, 5])
})
