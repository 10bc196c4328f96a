import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { createKeySeal, newSigningKey } from '../credentials/signing-keys.ts'
import { createUsersStore } from '../store.ts'

const { seal } = createKeySeal(undefined)

test('instances that start together share one signing key', async () => {
  const url = await createTestDatabase('users')
  const instances = Array.from({ length: 4 }, () => {
    const database = openDatabase({ name: 'test', url, poolSize: 2, log })
    return { database, store: createUsersStore(database.adapter) }
  })
  const now = new Date()
  await Promise.all(
    instances.map(({ store }) =>
      store.addSigningKey(async ([known]) => (known ? undefined : newSigningKey({ seal, now, delay: 0 }))),
    ),
  )
  const keys = await Promise.all(instances.map(({ store }) => store.signingKeys()))
  assert.equal(new Set(keys.flat().map(({ kid }) => kid)).size, 1)
  for (const { store, database } of instances) {
    await store.close()
    await database.close()
  }
})
