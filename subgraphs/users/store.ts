import { type Prisma, PrismaClient } from '#generated/prisma/users/client.ts'
import { isUniqueViolation } from '#platform/database/failures.ts'
import type { Database } from '#platform/database/open.ts'
import { ServiceError } from '#platform/errors.ts'
import { appendToOutbox, type OutboxEvent } from '#platform/outbox.ts'
import type { SigningKey } from './credentials/tokens.ts'
import type { User } from './domain.ts'

type NewEvent = Omit<OutboxEvent, 'sequence'>
type Session = { id: string; userId: string; createdAt: Date; expiresAt: Date }

export type NewUser = {
  user: User
  passwordHash: string
  /** The first session, where the person signs in at once. */
  session?: Session & { refreshHash: string }
  events: readonly NewEvent[]
}

/** Any number, the same for every instance. */
const signingKeyLock = 2_815_113

const userFields = { id: true, name: true, email: true, locale: true, roles: true, createdAt: true } as const

export function createUsersStore(adapter: Database['adapter']) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })

  return {
    /** Adds an account and tells of it. Throws EMAIL_TAKEN. */
    async createUser({ user, passwordHash, session, events }: NewUser): Promise<void> {
      try {
        await prisma.$transaction(async (tx) => {
          await tx.user.create({ data: { ...user, roles: [...user.roles], passwordHash, sequence: events.length } })
          if (session) await addSession(tx, session)
          await appendToOutbox(
            tx,
            events.map((event, index) => ({ ...event, sequence: index + 1 })),
            user.createdAt,
          )
        })
      } catch (error) {
        if (!isUniqueViolation(error, 'users_email_key')) throw error
        throw new ServiceError('EMAIL_TAKEN', 'This e-mail address has an account already.')
      }
    },

    async findByEmail(email: string): Promise<{ user: User; passwordHash: string } | undefined> {
      const row = await prisma.user.findUnique({ where: { email }, select: { ...userFields, passwordHash: true } })
      if (!row) return undefined
      const { passwordHash, ...user } = row
      return { user, passwordHash }
    },

    /** The accounts that exist among the ids. */
    findUsers(ids: readonly string[]): Promise<User[]> {
      return prisma.user.findMany({ where: { id: { in: [...ids] } }, select: userFields })
    },

    createSession: (session: Session & { refreshHash: string }): Promise<void> => addSession(prisma, session),

    /**
     * Marks a refresh token as used and puts the next one in its place. Of two exchanges of one token at once, one wins.
     * A token that was used before ends its session. Undefined unless the exchange took place.
     */
    exchangeRefreshToken({ hash, nextHash, at }: { hash: string; nextHash: string; at: Date }) {
      return prisma.$transaction(async (tx): Promise<{ user: User; sessionId: string } | undefined> => {
        const token = await tx.refreshToken.findUnique({
          where: { hash },
          select: { session: { select: { id: true, expiresAt: true, revokedAt: true, user: { select: userFields } } } },
        })
        if (!token || token.session.revokedAt || token.session.expiresAt <= at) return undefined
        const { id: sessionId, user } = token.session
        const used = await tx.refreshToken.updateMany({ where: { hash, usedAt: null }, data: { usedAt: at } })
        if (used.count === 0) {
          await tx.session.update({ where: { id: sessionId }, data: { revokedAt: at } })
          return undefined
        }
        await tx.refreshToken.create({ data: { hash: nextHash, sessionId, createdAt: at } })
        return { user, sessionId }
      })
    },

    /** The keys that sign access tokens. Of several instances that find none, one adds the first. */
    signingKeys(generate: () => Promise<SigningKey>): Promise<SigningKey[]> {
      return prisma.$transaction(async (tx) => {
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${signingKeyLock})`
        if ((await tx.signingKey.count()) === 0) {
          const key = await generate()
          const jwk = (value: SigningKey['publicJwk']) => value as Prisma.InputJsonObject
          await tx.signingKey.create({
            data: { ...key, publicJwk: jwk(key.publicJwk), privateJwk: jwk(key.privateJwk) },
          })
        }
        const rows = await tx.signingKey.findMany()
        return rows.map((row) => ({
          ...row,
          publicJwk: row.publicJwk as SigningKey['publicJwk'],
          privateJwk: row.privateJwk as SigningKey['privateJwk'],
        }))
      })
    },

    close: () => prisma.$disconnect(),
  }
}

async function addSession(
  tx: Prisma.TransactionClient,
  { refreshHash, ...session }: Session & { refreshHash: string },
): Promise<void> {
  const refreshTokens = { create: { hash: refreshHash, createdAt: session.createdAt } }
  await tx.session.create({ data: { ...session, refreshTokens } })
}

export type UsersStore = ReturnType<typeof createUsersStore>
