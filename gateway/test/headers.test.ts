import assert from 'node:assert/strict'
import { test } from 'node:test'
import { securityHeaders } from '../http/headers.ts'

test('browsers are told to come by HTTPS alone where a time is set, and not where it is 0', () => {
  assert.equal(securityHeaders(60)['strict-transport-security'], 'max-age=60; includeSubDomains')
  assert.equal('strict-transport-security' in securityHeaders(0), false)
})
