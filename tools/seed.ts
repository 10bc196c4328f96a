/**
 * Fills the shop for development: the catalogue, and an account for each role with a random password in
 * `.data/demo.json`. Adds what is missing and changes nothing that is there.
 */
import { createHash, randomUUID } from 'node:crypto'
import { userRegistered } from '#contracts/events.ts'
import { migrate } from '#platform/database/migrate.ts'
import { databaseUrl, openDatabase } from '#platform/database/open.ts'
import { processSettings, readEnv } from '#platform/env.ts'
import { silentLog as log } from '#platform/log.ts'
import { createProductsStore } from '../subgraphs/products/store.ts'
import { createPasswords } from '../subgraphs/users/credentials/passwords.ts'
import type { Role, User } from '../subgraphs/users/domain/account.ts'
import { createUsersStore } from '../subgraphs/users/store.ts'
import { dataFolder } from './infra/run-file.ts'
import { writePrivately } from './infra/secrets.ts'
import { type Account, accountsFile, knownAccounts, planAccounts } from './seed/accounts.ts'
import { catalogue } from './seed/catalogue.ts'
import { migrationsFolder } from './services.ts'

const settings = { ...processSettings, USERS_DATABASE_URL: databaseUrl, PRODUCTS_DATABASE_URL: databaseUrl }
const config = readEnv(settings)
if (config.NODE_ENV === 'production') {
  console.error('The seed is for development: it makes accounts for demonstration, which production must not have.')
  process.exit(1)
}

await Promise.all([seedProducts(config.PRODUCTS_DATABASE_URL), seedUsers(config.USERS_DATABASE_URL)])

async function seedProducts(url: string): Promise<void> {
  await migrate({ url, folder: migrationsFolder('products'), log })
  const database = openDatabase({ name: 'seed', url, poolSize: 2, log })
  const store = createProductsStore(database.adapter)
  const now = Date.now()
  const categories = catalogue.map(({ category: name }) => ({ id: idOf(name), name, parentId: null }))
  const goods = catalogue.flatMap(({ category, products }) => products.map((product) => ({ category, ...product })))
  const products = goods.map(({ category, sku, name, description, price, stock }, index) => {
    // A minute apart, so that the order of the list is the same everywhere.
    const at = new Date(now - index * 60_000)
    return {
      id: idOf(sku),
      sku,
      name,
      description,
      price: { amount: price, currency: 'EUR' },
      categoryId: idOf(category),
      available: stock,
      version: 1,
      createdAt: at,
      updatedAt: at,
    }
  })
  await store.addCatalogue(categories, products)
  await store.close()
  await database.close()
}

async function seedUsers(url: string): Promise<void> {
  await migrate({ url, folder: migrationsFolder('users'), log })
  const database = openDatabase({ name: 'seed', url, poolSize: 2, log })
  const store = createUsersStore(database.adapter)
  const passwords = createPasswords()
  const { accounts, missing, taken } = await planAccounts(knownAccounts(dataFolder), {
    hashOf: async (email) => (await store.findByEmail(email))?.passwordHash,
    verify: passwords.verify,
  })
  // Before the accounts are made, so that no password is ever lost.
  writePrivately(accountsFile(dataFolder), accounts)
  for (const role of missing) {
    const { name, email, password } = accounts[role] as Account
    const now = new Date()
    const user: User = {
      id: randomUUID(),
      name,
      email,
      emailVerifiedAt: now,
      phone: null,
      locale: 'en',
      roles: [role.toUpperCase() as Role],
      createdAt: now,
    }
    await store.createUser({
      user,
      passwordHash: await passwords.hash(password),
      events: [userRegistered.of({ userId: user.id, name, email, locale: 'en' })],
    })
  }
  if (taken.length > 0) {
    console.log(
      `Made new demo accounts: ${taken.join(', ')} are in this database, with passwords that ${dataFolder} does not know.`,
    )
  }
  await store.close()
  await database.close()
}

/** The same id for the same name, so that a second run finds what the first one made. */
function idOf(name: string): string {
  const hash = createHash('sha256').update(`commerce-supergraph ${name}`).digest('hex')
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}
