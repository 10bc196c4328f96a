import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { createFirstKey, createKeySeal } from '../credentials/signing-keys.ts'
import { createUsersStore } from '../store.ts'

const { seal } = createKeySeal(undefined)

test('instances that start together share one signing key', async () => {
  const url = await createTestDatabase('users')
  const instances = Array.from({ length: 4 }, () => {
    const database = openDatabase({ name: 'test', url, poolSize: 2, log })
    return { database, store: createUsersStore(database.adapter) }
  })
  const added: string[] = []
  const make = createFirstKey({ seal, now: () => new Date(), onAdded: (kid) => void added.push(kid) })
  await Promise.all(instances.map(({ store }) => store.addSigningKey(make)))
  const keys = await Promise.all(instances.map(({ store }) => store.signingKeys()))
  assert.equal(added.length, 1)
  assert.deepEqual(new Set(keys.flat().map(({ kid }) => kid)), new Set(added))
  for (const { store, database } of instances) {
    await store.close()
    await database.close()
  }
})
