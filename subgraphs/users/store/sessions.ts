import { Prisma, type PrismaClient } from '#generated/prisma/users/client.ts'
import { type NewEvent, numbered, outboxInsert } from '#platform/outbox.ts'
import type { User } from '../domain/account.ts'
import { type Account, type NewSession, userFields } from './rows.ts'

/** What came of a refresh token that was given back: a token that was exchanged before has ended its session. */
export type Exchange =
  | { outcome: 'exchanged'; user: User; sessionId: string }
  | { outcome: 'reused'; userId: string; sessionId: string }
  | { outcome: 'ended' }

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
     * Marks a refresh token as used and puts the next one in its place. Of two exchanges of one token at once, one wins,
     * and the other ends the session, as every later one does.
     */
    exchangeRefreshToken({ hash, nextHash, at }: { hash: string; nextHash: string; at: Date }): Promise<Exchange> {
      return prisma.$transaction(async (tx): Promise<Exchange> => {
        // Locked first: whatever ends the session comes before this exchange or after it.
        await tx.$queryRaw`
          SELECT FROM sessions WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = ${hash}) FOR UPDATE`
        const token = await tx.refreshToken.findUnique({
          where: { hash },
          select: { usedAt: true, session: { select: { id: true, expiresAt: true, user: { select: userFields } } } },
        })
        if (!token || token.session.expiresAt <= at) return { outcome: 'ended' }
        const { id: sessionId, user } = token.session
        if (token.usedAt) {
          await tx.session.update({ where: { id: sessionId }, data: { revokedAt: at, expiresAt: at } })
          return { outcome: 'reused', userId: user.id, sessionId }
        }
        await tx.refreshToken.update({ where: { hash }, data: { usedAt: at } })
        await tx.refreshToken.create({ data: { hash: nextHash, sessionId, createdAt: at } })
        return { outcome: 'exchanged', user, sessionId }
      })
    },

    /** Ends the session of a refresh token. The account's id, or undefined where no session goes on. */
    async endSession(hash: string, at: Date): Promise<string | undefined> {
      const [ended] = await prisma.$queryRaw<{ user_id: string }[]>`
        UPDATE sessions SET revoked_at = ${at}, expires_at = ${at}
        WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = ${hash}) AND expires_at > ${at}
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
