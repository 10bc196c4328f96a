import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRoles, parseSearch, requireScope, scopesOf } from '../domain/account.ts'

test('each role has its scopes, without repeats', () => {
  assert.deepEqual(scopesOf(['CUSTOMER']), [])
  assert.deepEqual(scopesOf(['SUPPORT', 'CUSTOMER']), ['orders:read', 'users:read'])
  assert.deepEqual(scopesOf(['MANAGER', 'SUPPORT']), [
    'catalog:write',
    'orders:fulfil',
    'orders:read',
    'payments:refund',
    'users:read',
  ])
  assert.ok(scopesOf(['ADMIN']).includes('users:write'))
})

test('an account has at least one role, each once', () => {
  assert.deepEqual(parseRoles(['ADMIN', 'CUSTOMER', 'ADMIN']), ['CUSTOMER', 'ADMIN'])
  assert.throws(() => parseRoles([]), { code: 'BAD_USER_INPUT', details: { field: 'roles' } })
})

test('without an account UNAUTHENTICATED, without the scope FORBIDDEN', () => {
  assert.throws(() => requireScope({ sub: null, scopes: ['users:read'] }, 'users:read'), { code: 'UNAUTHENTICATED' })
  assert.throws(() => requireScope({ sub: 'u', scopes: ['orders:read'] }, 'users:read'), { code: 'FORBIDDEN' })
  requireScope({ sub: 'u', scopes: ['users:read'] }, 'users:read')
})

test('a search for nothing is none', () => {
  for (const search of [undefined, null, '', '  ']) assert.equal(parseSearch(search), undefined)
  assert.equal(parseSearch(' eve '), 'eve')
  assert.throws(() => parseSearch('x'.repeat(101)), { details: { field: 'search' } })
})
