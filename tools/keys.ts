/**
 * The keys that sign access tokens:
 *
 *   npm run keys -- list
 *   npm run keys -- rotate   adds a key, which is published at once and signs after SIGNING_KEY_DELAY
 *
 * Running instances see it within about 2 s. A key that was superseded goes by itself.
 */
import { createAudit } from '#platform/audit.ts'
import { migrate } from '#platform/database/migrate.ts'
import { openDatabase } from '#platform/database/open.ts'
import { processSettings, readEnv } from '#platform/env.ts'
import { silentLog as log } from '#platform/log.ts'
import { signingKeyRule, signingKeySettings } from '../subgraphs/users/config.ts'
import { createKeySeal, keyStates, newSigningKey } from '../subgraphs/users/credentials/signing-keys.ts'
import { createUsersStore, type UsersStore } from '../subgraphs/users/store.ts'
import { auditLogFor, serviceDatabase } from './infra/service-database.ts'
import { migrationsFolder } from './services.ts'

try {
  await main(process.argv[2])
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(command: string | undefined): Promise<void> {
  if (command !== 'list' && command !== 'rotate') throw new Error('Usage: npm run keys -- <list|rotate>')
  const url = serviceDatabase('users')
  await migrate({ url, folder: migrationsFolder('users'), log })
  const database = openDatabase({ name: 'keys', url, poolSize: 1, log })
  const store = createUsersStore(database.adapter)
  try {
    if (command === 'rotate') await rotate(store)
    await list(store)
  } finally {
    await store.close()
    await database.close()
  }
}

async function rotate(store: UsersStore): Promise<void> {
  const config = readEnv({ ...processSettings, ...signingKeySettings }, [signingKeyRule])
  const { seal, open } = createKeySeal(config.SIGNING_KEYS_SECRET)
  const now = new Date()
  let added = ''
  await store.addSigningKey(async (known) => {
    const states = keyStates(known, { at: now, lifetime: config.ACCESS_TOKEN_LIFETIME })
    const waiting = states.find(({ state }) => state === 'waiting')
    if (waiting) {
      throw new Error(
        `The key ${waiting.key.kid} waits to sign from ${waiting.key.signsFrom.toISOString()} on already.`,
      )
    }
    // One that the services could not read beside the others would be of no use to them.
    for (const { key } of states) await open(key)
    const key = await newSigningKey({ seal, now, delay: known.length > 0 ? config.SIGNING_KEY_DELAY : 0 })
    added = key.kid
    return key
  })
  const audit = createAudit({ service: 'keys', file: auditLogFor('users') })
  audit({ action: 'signing_key.added', actor: null, target: added, address: null })
}

async function list(store: UsersStore): Promise<void> {
  const { ACCESS_TOKEN_LIFETIME: lifetime } = readEnv({
    ACCESS_TOKEN_LIFETIME: signingKeySettings.ACCESS_TOKEN_LIFETIME,
  })
  for (const { key, state } of keyStates(await store.signingKeys(), { at: new Date(), lifetime })) {
    const kept = typeof key.privateJwk === 'string' ? 'encrypted' : 'plain'
    console.log(`${key.kid}  ${state.padEnd(10)}  from ${key.signsFrom.toISOString()}  ${kept}`)
  }
}
