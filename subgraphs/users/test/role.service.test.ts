import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import pg from 'pg'
import { migrate } from '#platform/database/migrate.ts'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { migrationsFolder } from '../../../tools/services.ts'
import { createUsersStore } from '../store.ts'

test('a role that owns its database and is nothing more can migrate it, search accounts and refuse codes', async () => {
  const url = new URL(await createTestDatabase())
  const role = `role_${randomBytes(6).toString('hex')}`
  const admin = new pg.Client({ connectionString: url.href })
  await admin.connect()
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role}'`)
  await admin.query(`ALTER DATABASE ${url.pathname.slice(1)} OWNER TO ${role}`)
  await admin.end()
  url.username = role
  url.password = role
  await migrate({ url: url.href, folder: migrationsFolder('users'), log })
  const database = openDatabase({ name: 'test', url: url.href, poolSize: 2, log })
  const store = createUsersStore(database.adapter)
  try {
    assert.deepEqual(await store.listUsers({ search: 'eve', limit: 1, after: undefined }), [])
    const redemption = { account: { id: randomUUID() }, purpose: 'VERIFY_EMAIL', hash: '', at: new Date() } as const
    assert.equal(await store.redeemCode(redemption, () => ({ events: [] })), undefined)
  } finally {
    await store.close()
    await database.close()
  }
})
