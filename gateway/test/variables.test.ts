import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildSchema, getVariableValues, Kind, parse } from 'graphql'
import { compileVariables } from '../variables.ts'

const schema = buildSchema(`
  enum Color { RED GREEN }
  input Box { size: Int! = 3 label: String }
  type Query { anything(id: ID, text: String, at: Float, is: Boolean, color: Color, box: Box): Int }
`)

const types = ['ID', 'String', 'Int', 'Float', 'Boolean', 'Color', 'Box', '[Int!]', '[ID]']
const values: readonly unknown[] = [
  ...[undefined, null, '', 'a', 'RED', true, false, {}, { size: 1 }, { size: 'x' }, [], [1], ['1'], [null]],
  ...[0, -0, 1, 1.5, 1e300, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53],
]

const definitionsOf = (text: string) =>
  parse(`query (${text}) { anything }`).definitions.flatMap((node) =>
    node.kind === Kind.OPERATION_DEFINITION ? (node.variableDefinitions ?? []) : [],
  )
const sent = (all: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined))

test('variables are coerced as graphql-js coerces them, whatever is sent for whatever type', () => {
  for (const type of types.flatMap((name) => [name, `${name}!`])) {
    for (const other of types) {
      const definitions = definitionsOf(`$a: ${type}, $b: ${other}, $c: Int = 7`)
      const coerce = compileVariables(schema, definitions)
      for (const a of values) {
        for (const b of ['1', 1, undefined]) {
          const variables = sent({ a, b })
          const expected = getVariableValues(schema, definitions, variables, { maxErrors: 2 })
          const { coerced, errors } = coerce(variables, 2)
          const which = JSON.stringify({ type, other, variables })
          assert.deepEqual(coerced && { ...coerced }, expected.coerced, which)
          assert.deepEqual(errors?.map(String), expected.errors?.map(String), which)
        }
      }
    }
  }
})

test('a variable by the name of what every object has is absent when it was not sent', () => {
  const coerce = compileVariables(schema, definitionsOf('$constructor: String, $toString: ID!'))
  assert.deepEqual({ ...coerce({ toString: 'x' }, 1).coerced }, { toString: 'x' })
  assert.match(String(coerce({}, 1).errors?.[0]), /\$toString/)
})
