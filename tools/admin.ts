/**
 * Makes an administrator, the first one of a production system:
 *
 *   npm run admin -- create --email ada@example.com [--name Ada] [--promote]
 *
 * The password is what standard input holds; where that is a terminal or holds nothing, one is made and shown once.
 * --promote gives the role to an account that is there, whose password stays.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { userRegistered } from '#contracts/events.ts'
import { type Audit, createAudit } from '#platform/audit.ts'
import { migrate } from '#platform/database/migrate.ts'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { isCommonPassword } from '../subgraphs/users/credentials/common-passwords.ts'
import { createPasswords } from '../subgraphs/users/credentials/passwords.ts'
import { parseRoles, type User } from '../subgraphs/users/domain/account.ts'
import { refuseGuessable } from '../subgraphs/users/domain/password.ts'
import { normalizeEmail, parseRegistration } from '../subgraphs/users/domain/profile.ts'
import { createUsersStore, type UsersStore } from '../subgraphs/users/store.ts'
import { auditLogFor, serviceDatabase } from './infra/service-database.ts'
import { migrationsFolder } from './services.ts'

type Wanted = { email: string; name: string; promote: boolean }

const usage = 'Usage: npm run admin -- create --email <address> [--name <name>] [--promote]'

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const wanted = parseCommand()
  const url = serviceDatabase('users')
  const audit = createAudit({ service: 'admin', file: auditLogFor('users') })
  await migrate({ url, folder: migrationsFolder('users'), log })
  const database = openDatabase({ name: 'admin', url, poolSize: 1, log })
  const store = createUsersStore(database.adapter)
  try {
    const account = await store.findByEmail(normalizeEmail(wanted.email))
    if (!account) await create(store, audit, wanted)
    else if (wanted.promote) await promote(store, audit, account.user)
    else throw new Error('This e-mail address has an account already. --promote makes it an administrator.')
  } finally {
    await store.close()
    await database.close()
  }
}

function parseCommand(): Wanted {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { email: { type: 'string' }, name: { type: 'string' }, promote: { type: 'boolean' } },
    })
    const { email, name = 'Administrator', promote = false } = values
    if (positionals.join() === 'create' && email) return { email, name, promote }
  } catch {
    // An option that there is not.
  }
  throw new Error(usage)
}

async function create(store: UsersStore, audit: Audit, { email: address, name: wantedName }: Wanted): Promise<void> {
  const given = process.stdin.isTTY ? '' : (await text(process.stdin)).replace(/\r?\n$/, '')
  const wanted = given || randomBytes(18).toString('base64url')
  const { password, ...owner } = parseRegistration({ name: wantedName, email: address, password: wanted, locale: 'en' })
  refuseGuessable('password', password, { isCommon: isCommonPassword, owner })
  const user: User = {
    ...owner,
    id: randomUUID(),
    emailVerifiedAt: null,
    roles: ['CUSTOMER', 'ADMIN'],
    createdAt: new Date(),
  }
  const { id: userId, name, email, locale, phone } = user
  const events = [userRegistered.of({ userId, name, email, locale, phone })]
  await store.createUser({ user, passwordHash: await createPasswords().hash(password), events })
  audit({ action: 'account.registered', actor: null, target: userId, address: null, detail: { roles: user.roles } })
  console.log(`Made the administrator ${email}.`)
  if (!given) console.log(`Its password, which is not shown again: ${password}`)
}

async function promote(store: UsersStore, audit: Audit, { id, email, roles }: User): Promise<void> {
  if (roles.includes('ADMIN')) return console.log(`${email} is an administrator already.`)
  const user = await store.changeRoles(id, new Date(), ({ user }) => ({
    user: { ...user, roles: parseRoles([...user.roles, 'ADMIN']) },
    events: [],
  }))
  if (!user) throw new Error('The account has gone meanwhile.')
  audit({ action: 'roles.changed', actor: null, target: id, address: null, detail: { roles: user.roles } })
  console.log(`${user.email} is an administrator now, from its next token on.`)
}
