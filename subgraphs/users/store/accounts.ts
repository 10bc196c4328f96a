import type { PrismaClient } from '#generated/prisma/users/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import { ServiceError } from '#platform/errors.ts'
import { appendToOutbox, type NewEvent, numbered } from '#platform/outbox.ts'
import type { User } from '../domain/account.ts'
import {
  type Account,
  type AccountChange,
  addSession,
  applyChange,
  type Decide,
  findAccount,
  lockAccount,
  type NewSession,
  type Transaction,
  userFields,
} from './rows.ts'

export type NewUser = {
  user: User
  passwordHash: string
  /** The first session, where the person signs in at once. */
  session?: NewSession
  events: readonly NewEvent[]
}

export type AccountOptions = {
  /** Sessions, or their tokens, that one step of an erasure deletes. Default 1000: an account may have any number of them. */
  sessionBatch?: number
}

export type UserListing = {
  /** What the name or the address holds, in any letter case. */
  search: string | undefined
  limit: number
  after: { createdAt: Date; id: string } | undefined
}

/** Any number, the same for every instance. */
const adminLock = 2_815_114

export function accountStore(prisma: PrismaClient, { sessionBatch = 1_000 }: AccountOptions = {}) {
  /** Deletes a batch of the refresh tokens of an account. How many it were. */
  const deleteTokens = (userId: string): Promise<number> => prisma.$executeRaw`
    DELETE FROM refresh_tokens WHERE hash IN (
      SELECT hash FROM refresh_tokens JOIN sessions ON sessions.id = session_id
      WHERE user_id = ${userId}::uuid LIMIT ${sessionBatch})`

  /** Deletes a batch of an account's sessions, with what tokens came meanwhile. How many it were. */
  function deleteSessions(userId: string): Promise<number> {
    return prisma.$transaction(async (tx) => {
      await lockAccount(tx, userId)
      return tx.$executeRaw`
        DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = ${userId}::uuid LIMIT ${sessionBatch})`
    })
  }

  return {
    /** Adds an account and tells of it. Throws EMAIL_TAKEN. */
    async createUser({ user, passwordHash, session, events }: NewUser): Promise<void> {
      await refuseTakenEmail(() =>
        prisma.$transaction(async (tx) => {
          const data = { ...user, roles: [...user.roles], passwordHash, sequence: events.length }
          await tx.user.create({ data, select: { id: true } })
          if (session) await addSession(tx, session)
          await appendToOutbox(tx, numbered(events, 0), user.createdAt)
        }),
      )
    },

    findByEmail: (email: string): Promise<Account | undefined> => findAccount(prisma, { email }),
    findById: (id: string): Promise<Account | undefined> => findAccount(prisma, { id }),

    /** The accounts that exist among the ids. */
    findUsers(ids: readonly string[]): Promise<User[]> {
      return prisma.user.findMany({ where: { id: { in: [...ids] } }, select: userFields })
    },

    /** Accounts, newest first, behind `after`. */
    listUsers({ search, limit, after }: UserListing): Promise<User[]> {
      const holds = search && { contains: literal(search), mode: 'insensitive' as const }
      return prisma.user.findMany({
        where: {
          AND: [
            holds ? { OR: [{ name: holds }, { email: holds }] } : {},
            after
              ? { OR: [{ createdAt: { lt: after.createdAt } }, { createdAt: after.createdAt, id: { lt: after.id } }] }
              : {},
          ],
        },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
        select: userFields,
      })
    },

    /**
     * Locks an account, lets `decide` say what becomes of it, and writes all of that with its events. Undefined where there
     * is none. Throws EMAIL_TAKEN.
     */
    changeAccount(id: string, at: Date, decide: Decide): Promise<User | undefined> {
      return refuseTakenEmail(() => prisma.$transaction((tx) => applyChange(tx, id, at, decide)))
    },

    /** The same for a change that may take away an administrator: `decide` is told how many others there are. */
    changeRoles(
      id: string,
      at: Date,
      decide: (account: Account, otherAdmins: number) => AccountChange,
    ): Promise<User | undefined> {
      return prisma.$transaction(async (tx) => {
        const others = await otherAdmins(tx, id)
        return applyChange(tx, id, at, (account) => decide(account, others))
      })
    },

    /**
     * Removes an account and everything of it, and tells of it. False where there is none. What was told of it before goes
     * too, except what the relay has still to send: its order must not break, and it is removed when it is sent.
     *
     * Its tokens and sessions go first, in batches, once `decide` has agreed; it is asked again when the account goes. Whoever is cut off in
     * between still has the account, signed out, and asks again.
     */
    async eraseAccount(
      id: string,
      at: Date,
      decide: (account: Account, otherAdmins: number) => readonly NewEvent[],
    ): Promise<boolean> {
      const decided = async (tx: Transaction) => {
        const others = await otherAdmins(tx, id)
        const account = await lockAccount(tx, id)
        return account && { account, events: decide(account, others) }
      }
      if (!(await prisma.$transaction(decided))) return false
      while ((await deleteTokens(id)) === sessionBatch);
      while ((await deleteSessions(id)) === sessionBatch);
      return prisma.$transaction(async (tx) => {
        const erasure = await decided(tx)
        if (!erasure) return false
        const { account, events } = erasure
        await tx.outboxRow.deleteMany({ where: { key: id, sentAt: { not: null } } })
        await appendToOutbox(tx, numbered(events, account.sequence), at)
        await tx.user.delete({ where: { id }, select: { id: true } })
        return true
      })
    },
  }
}

/** Counted under a lock that lasts as long as the transaction, so that the last two cannot go at once. */
async function otherAdmins(tx: Transaction, id: string): Promise<number> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${adminLock})`
  // In the words of the index on administrators.
  const [others] = await tx.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int FROM users WHERE 'ADMIN' = ANY (roles) AND id <> ${id}::uuid`
  return others?.count ?? 0
}

async function refuseTakenEmail<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!isUniqueViolation(error, 'users_email_key')) throw error
    throw new ServiceError('EMAIL_TAKEN', 'This e-mail address has an account already.')
  }
}

/** Text that LIKE takes for itself, wildcards included. */
function literal(text: string): string {
  return text.replaceAll(/[\\%_]/g, '\\$&')
}
