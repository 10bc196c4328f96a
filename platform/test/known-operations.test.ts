import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApolloServer } from '@apollo/server'
import { buildSchema } from 'graphql'
import { createKnownOperations } from '../subgraph/known-operations.ts'

const schema = buildSchema('type Query { echo(text: String!): String  other: String }')
const query = 'query Echo($text: String!) { echo(text: $text) }'

async function open() {
  const operations = createKnownOperations({ schema, format: (formatted) => formatted })
  const apollo = new ApolloServer({ schema, plugins: [operations.plugin] })
  await apollo.start()
  const answer = (body: unknown) => operations.answer(body, () => ({}))
  return { apollo, answer }
}

test('an operation is known once Apollo Server found it valid, and only in the form in which it came', async () => {
  const { apollo, answer } = await open()
  const variables = { text: 'x' }
  assert.equal(await answer({ query, variables }), undefined)
  await apollo.executeOperation({ query, variables })
  assert.equal(await answer({ query, variables }), '{"data":{"echo":null}}\n')
  assert.equal(await answer({ query, variables, operationName: 'Echo' }), '{"data":{"echo":null}}\n')
  assert.equal(await answer({ query: `${query} `, variables }), undefined)
  assert.equal(await answer({ query, variables, operationName: 'Other' }), undefined)
  assert.equal(await answer({ query, variables, extensions: {} }), undefined)
  await apollo.executeOperation({ query: '{ nothing }' })
  assert.equal(await answer({ query: '{ nothing }' }), undefined)
  await apollo.stop()
})

test('what does not fit an operation that is known is left to Apollo Server, with nothing executed', async () => {
  const { apollo, answer } = await open()
  await apollo.executeOperation({ query, variables: { text: 'x' } })
  for (const variables of [undefined, {}, { text: 1 }, { text: null }, [], 'x']) {
    assert.equal(await answer({ query, variables }), undefined)
  }
  for (const body of [undefined, null, [], [{ query }], 'x', {}, { query: 1 }]) {
    assert.equal(await answer(body), undefined)
  }
  await apollo.stop()
})

test('what is known has a bound: texts of 2 MiB, and what was used last stays', async () => {
  const { apollo, answer } = await open()
  const text = (n: number) => `{ other } # ${n} ${'x'.repeat(100_000)}`
  for (let n = 0; n < 15; n++) await apollo.executeOperation({ query: text(n) })
  const known = await Promise.all(Array.from({ length: 15 }, (_, n) => answer({ query: text(n) })))
  assert.equal(known.filter((answered) => answered !== undefined).length, 10)
  assert.equal(known[0], undefined)
  assert.equal(known[14], '{"data":{"other":null}}\n')
  await apollo.stop()
})
