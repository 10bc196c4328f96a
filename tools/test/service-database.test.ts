import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { Claim } from '../infra/run-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'commerce-data-'))
process.env.DATA_DIR = folder
const { claimFolder } = await import('../infra/run-file.ts')
const { auditLogFor } = await import('../infra/service-database.ts')

let claim: Claim
before(() => {
  claim = claimFolder(folder)
  claim.publish({ gateway: 'http://127.0.0.1:4000/graphql', mail: '/mail', auditLog: '/audit.log', postgres: '/pg' })
})
after(() => {
  claim.release()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  delete process.env.AUDIT_LOG
  delete process.env.USERS_DATABASE_URL
})

test('what is done to the database of the running shop stands in its audit log', () => {
  assert.equal(auditLogFor('users'), '/audit.log')
})

test('what is done to a database that a variable names stands in the file that AUDIT_LOG names, else in none', () => {
  process.env.USERS_DATABASE_URL = 'postgres://users@127.0.0.1/users'
  assert.equal(auditLogFor('users'), undefined)
  process.env.AUDIT_LOG = '/own.log'
  assert.equal(auditLogFor('users'), '/own.log')
})
