import { Prisma, type PrismaClient } from '#generated/prisma/users/client.ts'
import { type NewEvent, numbered, outboxInsert } from '#platform/outbox.ts'
import type { RefreshHashes, User } from '../domain/account.ts'
import { type Account, type NewSession, userFields } from './rows.ts'

/** What came of a refresh token that was given back: a token that was exchanged before has ended its session. */
export type Exchange =
  | { outcome: 'exchanged'; user: User; sessionId: string }
  | { outcome: 'reused'; userId: string; sessionId: string }
  | { outcome: 'ended' }

type NextToken = RefreshHashes & { nextHash: string; at: Date }

export function sessionStore(prisma: PrismaClient) {
  return {
    /**
     * Begins a session and tells of it, by one statement, where the account has the password, the roles and the events that it was read with.
     * False where it has others, or is gone; then nothing is written.
     */
    async beginSession(
      { user, passwordHash, sequence }: Account,
      { id, createdAt, expiresAt, refreshHash }: NewSession,
      events: readonly NewEvent[],
    ): Promise<boolean> {
      const told = outboxInsert(Prisma.sql, numbered(events, sequence), createdAt, Prisma.sql`account`)
      const begun = await prisma.$executeRaw`
        WITH account AS (
          UPDATE users SET sequence = ${sequence + events.length}::int
          WHERE id = ${user.id}::uuid AND password_hash = ${passwordHash} AND sequence = ${sequence}::int
            AND roles::text[] = ${[...user.roles]}::text[]
          RETURNING id
        ), session AS (
          INSERT INTO sessions (id, user_id, created_at, expires_at)
          SELECT ${id}::uuid, id, ${createdAt}::timestamptz, ${expiresAt}::timestamptz FROM account RETURNING id
        ), token AS (
          INSERT INTO refresh_tokens (hash, session_id, created_at)
          SELECT ${refreshHash}, id, ${createdAt}::timestamptz FROM session
        ), told AS (${told})
        SELECT pg_notify('outbox', '') FROM account`
      return begun > 0
    },

    /**
     * Puts the next refresh token in the place of one. Of two exchanges of one token at once, one wins, and the other ends
     * the session, as every later one does.
     *
     * Guarantee: a session keeps two tokens at the most, the first and the one that is good. A token that begins with a first
     * one that is known, and is not the one that is good, was used before.
     */
    exchangeRefreshToken({ hash, firstHash, nextHash, at }: NextToken): Promise<Exchange> {
      return prisma.$transaction(async (tx): Promise<Exchange> => {
        // Locked first: whatever ends the session comes before this exchange or after it.
        await tx.$queryRaw`
          SELECT FROM sessions WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash IN (${hash}, ${firstHash}) LIMIT 1)
          FOR UPDATE`
        const tokens = await tx.refreshToken.findMany({
          where: { hash: { in: [hash, firstHash] } },
          select: {
            hash: true,
            usedAt: true,
            session: { select: { id: true, expiresAt: true, user: { select: userFields } } },
          },
        })
        const [known] = tokens
        if (!known || known.session.expiresAt <= at) return { outcome: 'ended' }
        const { id: sessionId, user } = known.session
        if (!tokens.some((token) => token.hash === hash && !token.usedAt)) {
          await tx.session.update({ where: { id: sessionId }, data: { revokedAt: at, expiresAt: at } })
          return { outcome: 'reused', userId: user.id, sessionId }
        }
        if (hash === firstHash) {
          await tx.refreshToken.update({ where: { hash }, data: { usedAt: at } })
          await tx.refreshToken.create({ data: { hash: nextHash, sessionId, createdAt: at } })
        } else {
          await tx.refreshToken.update({ where: { hash }, data: { hash: nextHash, createdAt: at } })
        }
        return { outcome: 'exchanged', user, sessionId }
      })
    },

    /** Ends the session of a refresh token. The account's id, or undefined where no session goes on. */
    async endSession({ hash, firstHash }: RefreshHashes, at: Date): Promise<string | undefined> {
      const [ended] = await prisma.$queryRaw<{ user_id: string }[]>`
        UPDATE sessions SET revoked_at = ${at}, expires_at = ${at}
        WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash IN (${hash}, ${firstHash}) LIMIT 1)
          AND expires_at > ${at}
        RETURNING user_id`
      return ended?.user_id
    },

    /** The account of a session that goes on. */
    async userOfSession(id: string, at: Date): Promise<User | undefined> {
      const session = await prisma.session.findUnique({
        where: { id, expiresAt: { gt: at } },
        select: { user: { select: userFields } },
      })
      return session?.user
    },
  }
}
