import type { Prisma } from '#generated/prisma/users/client.ts'
import { appendToOutbox, type NewEvent, numbered } from '#platform/outbox.ts'
import type { User } from '../domain/account.ts'
import type { CodePurpose } from '../domain/code.ts'

export type Transaction = Prisma.TransactionClient

/** An account with what only a sign-in may look at, and how many events there are of it. */
export type Account = { readonly user: User; readonly passwordHash: string; readonly sequence: number }

export type NewSession = { id: string; userId: string; createdAt: Date; expiresAt: Date; refreshHash: string }

/** What becomes of an account. What is absent stays. */
export type AccountChange = {
  user?: User
  passwordHash?: string
  /** Ends every session that the account has. */
  endSessions?: boolean
  /** Begins a session, after those that end. */
  session?: NewSession
  /** The codes that are good no longer. */
  dropCodes?: readonly CodePurpose[]
  events: readonly NewEvent[]
}

export type Decide = (account: Account) => AccountChange

export const userFields = {
  id: true,
  name: true,
  email: true,
  emailVerifiedAt: true,
  phone: true,
  locale: true,
  roles: true,
  createdAt: true,
} as const

/** Locks an account, lets `decide` say what becomes of it, and writes all of that. Undefined where there is none. */
export async function applyChange(tx: Transaction, id: string, at: Date, decide: Decide): Promise<User | undefined> {
  const locked = await lockAccount(tx, id)
  if (!locked) return undefined
  const { user, passwordHash, endSessions, session, dropCodes, events } = decide(locked)
  await tx.user.update({
    where: { id },
    data: {
      ...(user && { ...user, roles: [...user.roles] }),
      ...(passwordHash && { passwordHash }),
      sequence: locked.sequence + events.length,
    },
    select: { id: true },
  })
  if (dropCodes) await tx.oneTimeCode.deleteMany({ where: { userId: id, purpose: { in: [...dropCodes] } } })
  if (endSessions) {
    await tx.session.updateMany({
      where: { userId: id, expiresAt: { gt: at } },
      data: { revokedAt: at, expiresAt: at },
    })
  }
  if (session) await addSession(tx, session)
  await appendToOutbox(tx, numbered(events, locked.sequence), at)
  return user ?? locked.user
}

/** The account, which nobody else changes until the transaction ends. */
export async function lockAccount(tx: Transaction, id: string): Promise<Account | undefined> {
  await tx.$queryRaw`SELECT FROM users WHERE id = ${id}::uuid FOR UPDATE`
  return findAccount(tx, { id })
}

export async function findAccount(
  tx: Pick<Transaction, 'user'>,
  where: { email: string } | { id: string },
): Promise<Account | undefined> {
  const row = await tx.user.findUnique({ where, select: { ...userFields, passwordHash: true, sequence: true } })
  if (!row) return undefined
  const { passwordHash, sequence, ...user } = row
  return { user, passwordHash, sequence }
}

export async function addSession(tx: Transaction, { refreshHash, ...session }: NewSession): Promise<void> {
  const refreshTokens = { create: { hash: refreshHash, createdAt: session.createdAt } }
  await tx.session.create({ data: { ...session, refreshTokens }, select: { id: true } })
}
