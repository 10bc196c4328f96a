import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GraphQLFormattedError } from 'graphql'
import type { Log, LogFields } from '#platform/log.ts'
import { silentLog } from '#platform/log.ts'
import { createErrorFormatter } from '../errors.ts'

const logged: LogFields[] = []
const log: Log = { ...silentLog, error: (_message, fields = {}) => void logged.push(fields) }
const format = (error: GraphQLFormattedError) => createErrorFormatter({ log })(error, new Error('inner'))

test('an error with a code of ours keeps its words, place and the details that belong to it', () => {
  const error = {
    message: 'Not enough in stock.',
    path: ['createOrder'],
    extensions: { code: 'INSUFFICIENT_STOCK', items: [1], serviceName: 'orders', stacktrace: ['x'], secret: 1 },
  }
  assert.deepEqual(format(error), {
    message: error.message,
    path: error.path,
    extensions: { code: 'INSUFFICIENT_STOCK', items: [1] },
  })
})

test('an error without a code of ours is masked and logged, and keeps its place', () => {
  logged.length = 0
  const { message, path, extensions } = format({
    message: 'password=secret',
    path: ['me'],
    extensions: { code: 'ODD' },
  })
  assert.equal(message, 'Something went wrong on our side.')
  assert.deepEqual(path, ['me'])
  assert.deepEqual(Object.keys(extensions ?? {}), ['code', 'errorId'])
  assert.equal(logged[0]?.errorId, extensions?.errorId)
})

test('an internal error that a subgraph logged keeps the id of its log line', () => {
  logged.length = 0
  const extensions = { code: 'INTERNAL_SERVER_ERROR', errorId: 'e1', serviceName: 'orders' }
  assert.deepEqual(format({ message: 'x', extensions }).extensions, { code: 'INTERNAL_SERVER_ERROR', errorId: 'e1' })
  assert.equal(logged.length, 0)
})

test("a foreign subgraph's own code is passed on, its error without a code is not", () => {
  assert.deepEqual(format({ message: 'Too late.', extensions: { code: 'TOO_LATE', serviceName: 'other', more: 1 } }), {
    message: 'Too late.',
    extensions: { code: 'TOO_LATE' },
  })
  const masked = format({
    message: 'at db.internal',
    extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', serviceName: 'other' },
  })
  assert.equal(masked.extensions?.code, 'INTERNAL_SERVER_ERROR')
})
