import { randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import type { AuditEntry } from '#platform/audit.ts'
import { createBackground } from '#platform/background.ts'
import { openDatabase } from '#platform/database/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { createQuotas } from '#platform/quota.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { waitFor } from '../../../test/infra/wait.ts'
import { isCommonPassword } from '../credentials/common-passwords.ts'
import { createPasswords } from '../credentials/passwords.ts'
import { createFirstKey, createKeyRing, createKeySeal } from '../credentials/signing-keys.ts'
import { createTokens, hashRefreshToken } from '../credentials/tokens.ts'
import { type Role, scopesOf } from '../domain/account.ts'
import { type CodeMail, codeBytes, writeCode } from '../domain/code.ts'
import type { UsersDependencies } from '../service/dependencies.ts'
import { createUsersService } from '../service.ts'
import type { AccountOptions } from '../store/accounts.ts'
import { createUsersStore } from '../store.ts'

export const password = 'correct horse'
export const nobody = { sub: null, scopes: [], address: '192.0.2.1' }

/** The users service on a database of its own, with a clock that stands still, and a record of its mail and audit log. */
export async function openUsers(replaced: Partial<UsersDependencies> = {}, options: AccountOptions = {}) {
  const url = await createTestDatabase('users')
  const database = openDatabase({ name: 'test', url, poolSize: 20, log })
  const store = createUsersStore(database.adapter, options)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const clock = { time: new Date('2026-01-01T00:00:00Z') }
  const now = () => clock.time
  const mail: CodeMail[] = []
  const entries: AuditEntry[] = []
  const { seal, open } = createKeySeal(undefined)
  await store.addSigningKey(createFirstKey({ seal, now, onAdded() {} }))
  const keys = createKeyRing({ load: store.signingKeys, remove: store.removeSigningKeys, open, lifetime: 900, now })
  await keys.refresh()
  const background = createBackground({ name: 'test', pauses: [1, 1], log })
  const { quota } = await createQuotas({ log })
  const tokens = createTokens({ keys, issuer: 'users', audience: 'graph', lifetime: 900, now, newId: randomUUID })
  const dependencies: UsersDependencies = {
    store,
    passwords: createPasswords({ wait: 60_000 }),
    isCommonPassword,
    tokens,
    hashRefreshToken,
    sendCode: async (sent) => void mail.push(sent),
    inBackground: background.add,
    newCode: () => writeCode(randomBytes(codeBytes)),
    codeLifetime: 900,
    attemptQuotas: {
      ofAccount: quota({ name: 'account', points: () => 10, seconds: 900 }),
      ofAddress: quota({ name: 'address', points: () => 100, seconds: 900 }),
    },
    codeQuota: quota({ name: 'codes', points: () => 5, seconds: 900 }),
    passwordQuota: quota({ name: 'password-changes', points: () => 5, seconds: 900 }),
    audit: (entry) => void entries.push(entry),
    now,
    newId: randomUUID,
    ...replaced,
  }
  const service = createUsersService(dependencies)
  const newEmail = () => `${randomUUID()}@example.com`

  async function register(email = newEmail()) {
    const signedIn = await service.register(nobody, { name: 'Eve', email, password, locale: 'en' })
    return { ...signedIn, caller: { ...nobody, sub: signedIn.user.id } }
  }

  return {
    service,
    dependencies,
    store,
    tokens,
    keys,
    clock,
    mail,
    entries,
    newEmail,
    register,
    sql: async (query: string, values: unknown[] = []) => (await client.query(query, values)).rows,

    /** A caller with roles, who has an account. */
    async callerWith(...roles: Role[]) {
      const { caller, user } = await register()
      await store.changeAccount(user.id, clock.time, () => ({ user: { ...user, roles }, events: [] }))
      return { ...caller, scopes: scopesOf(roles) }
    },

    login: (email: string, with_ = password) => service.login(nobody, { email, password: with_ }),

    /** Moves the clock on by seconds. */
    later(seconds: number): void {
      clock.time = new Date(clock.time.getTime() + seconds * 1000)
    },

    /** The newest code that was mailed to an address for a purpose, once it is there. `before`: how many were there. */
    codeFor(email: string, purpose: CodeMail['purpose'], before = 0): Promise<string> {
      return waitFor('a code', () => {
        const codes = mail.filter((sent) => sent.user.email === email && sent.purpose === purpose)
        return codes.length > before && codes.at(-1)?.code
      })
    },

    /** The events of an account, in their order. */
    async eventsOf(userId: string): Promise<{ type: string; sequence: number }[]> {
      return (await client.query('SELECT type, sequence FROM outbox WHERE key = $1 ORDER BY sequence', [userId])).rows
    },

    async close(): Promise<void> {
      await background.stop()
      await client.end()
      await store.close()
      await database.close()
    },
  }
}

export type Users = Awaited<ReturnType<typeof openUsers>>
