import type { Prisma } from '#generated/prisma/notifications/client.ts'

type Transaction = Prisma.TransactionClient

/** The advisory locks by which what is written about an account and its erasure take turns. Any number of 32 bits. */
const accountLocks = 7_340_021

/** Makes an erasure that comes wait, and waits for one under way. A statement behind it sees what is committed by then. */
export async function holdOffErasure(tx: Transaction, userId: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(${accountLocks}::int, hashtext(${userId}::uuid::text))`
}

/** Holds off an erasure. True when there was one before: then nothing may be written about the account. */
export async function isErased(tx: Transaction, userId: string): Promise<boolean> {
  await holdOffErasure(tx, userId)
  return (await tx.erasure.findUnique({ where: { userId } })) !== null
}

/** Waits for all that is written about the account, and makes what comes wait. A statement behind it sees what is committed by then. */
export async function lockAccount(tx: Transaction, userId: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${accountLocks}::int, hashtext(${userId}::uuid::text))`
}
