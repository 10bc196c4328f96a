import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GraphQLError, Kind, OperationTypeNode, parse } from 'graphql'
import { executorOf } from '../executor.ts'

test('whatever stands among the errors of Apollo’s gateway is a GraphQL error afterwards', async () => {
  const known = new GraphQLError('known')
  const thrown = new TypeError('thrown between two fetches')
  const execute = executorOf(async () => ({ data: null, errors: [known, thrown as GraphQLError] }))
  const document = parse('{ a }')
  const [operation] = document.definitions
  assert.ok(operation?.kind === Kind.OPERATION_DEFINITION && operation.operation === OperationTypeNode.QUERY)
  const principal = { sub: null, sid: null, scopes: [], anonymous: true, address: null }
  const context = { principal, requestId: '1', traceparent: '', deadline: Date.now() + 1_000 }
  const { data, errors = [] } = await execute({ document, operation, hash: '', variables: {}, coerced: {}, context })
  assert.equal(data, null)
  assert.equal(errors[0], known)
  assert.ok(errors[1] instanceof GraphQLError)
  assert.equal(errors[1].originalError, thrown)
})
