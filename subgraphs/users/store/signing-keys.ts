import type { Prisma, PrismaClient } from '#generated/prisma/users/client.ts'
import type { StoredKey } from '../credentials/signing-keys.ts'

/** Any number, the same for every instance. */
const signingKeyLock = 2_815_113

export function signingKeyStore(prisma: PrismaClient) {
  return {
    /** The keys that sign access tokens, in no order. */
    signingKeys: (): Promise<StoredKey[]> => read(prisma),

    /** Adds the key that `make` returns for those there are, if any. Several that do so at once take turns. */
    addSigningKey(make: (known: readonly StoredKey[]) => Promise<StoredKey | undefined>): Promise<void> {
      return prisma.$transaction(async (tx) => {
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${signingKeyLock})`
        const key = await make(await read(tx))
        if (!key) return
        const json = (value: StoredKey['privateJwk']) => value as Prisma.InputJsonValue
        const data = { ...key, publicJwk: json(key.publicJwk), privateJwk: json(key.privateJwk) }
        await tx.signingKey.create({ data, select: { kid: true } })
      })
    },

    async removeSigningKeys(kids: readonly string[]): Promise<void> {
      await prisma.signingKey.deleteMany({ where: { kid: { in: [...kids] } } })
    },
  }
}

async function read(prisma: Pick<PrismaClient, 'signingKey'>): Promise<StoredKey[]> {
  const rows = await prisma.signingKey.findMany()
  return rows.map((row) => ({
    ...row,
    publicJwk: row.publicJwk as StoredKey['publicJwk'],
    privateJwk: row.privateJwk as StoredKey['privateJwk'],
  }))
}
