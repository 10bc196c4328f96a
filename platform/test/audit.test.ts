import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAudit } from '../audit.ts'
import { runWithContext } from '../context.ts'

test('an entry says who, what, when and from where, and in which request', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'made/audit.log')
  const context = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, requestId: 'r1' }
  const entry = {
    action: 'roles.changed',
    actor: 'u1',
    target: 'u2',
    address: '::1',
    detail: { roles: ['ADMIN'] },
  } as const
  runWithContext(context, () => createAudit({ service: 'users', file })(entry))
  createAudit({ service: 'gateway', file })({ action: 'token.refused', actor: null, address: null })
  const [first, second] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const { time, ...rest } = first
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 5_000)
  assert.deepEqual(rest, { log: 'audit', service: 'users', ...entry, traceId: 'a'.repeat(32), requestId: 'r1' })
  assert.equal(second.service, 'gateway')
})
