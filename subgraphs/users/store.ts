import { PrismaClient } from '#generated/prisma/users/client.ts'
import type { Database } from '#platform/database/open.ts'
import { type AccountOptions, accountStore } from './store/accounts.ts'
import { codeStore } from './store/codes.ts'
import { retentionStore } from './store/retention.ts'
import { sessionStore } from './store/sessions.ts'
import { signingKeyStore } from './store/signing-keys.ts'

/** What the users service keeps. */
export function createUsersStore(adapter: Database['adapter'], options: AccountOptions = {}) {
  const prisma = new PrismaClient({ adapter, errorFormat: 'minimal' })
  return {
    ...accountStore(prisma, options),
    ...sessionStore(prisma),
    ...codeStore(prisma),
    ...signingKeyStore(prisma),
    ...retentionStore(prisma),
    close: () => prisma.$disconnect(),
  }
}

export type UsersStore = ReturnType<typeof createUsersStore>
