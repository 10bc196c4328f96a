/**
 * Fills the running development shop, or the databases that variables name: the catalogue, and an account for each role
 * with a random password in `.data/demo.json`. Adds what is missing and changes nothing that is there.
 *
 *   npm run seed -- --products 100000
 *
 * adds so many generated products, the same ones each time, to see how the shop bears them.
 */
import { randomUUID } from 'node:crypto'
import { userRegistered } from '#contracts/events.ts'
import { migrate } from '#platform/database/migrate.ts'
import { openDatabase } from '#platform/database/open.ts'
import { processSettings, readEnv } from '#platform/env.ts'
import { silentLog as log } from '#platform/log.ts'
import { createProductsStore } from '../subgraphs/products/store.ts'
import { createPasswords } from '../subgraphs/users/credentials/passwords.ts'
import type { Role, User } from '../subgraphs/users/domain/account.ts'
import { createUsersStore } from '../subgraphs/users/store.ts'
import { dataFolder } from './infra/run-file.ts'
import { writePrivately } from './infra/secrets.ts'
import { failureOf, serviceDatabase } from './infra/service-database.ts'
import { type Account, accountsFile, knownAccounts, planAccounts } from './seed/accounts.ts'
import { parseArguments } from './seed/arguments.ts'
import { addBigCatalogue } from './seed/big-catalogue.ts'
import { catalogue } from './seed/catalogue.ts'
import { idOf } from './seed/ids.ts'
import { migrationsFolder } from './services.ts'

if (readEnv(processSettings).NODE_ENV === 'production') {
  console.error('The seed is for development: it makes accounts for demonstration, which production must not have.')
  process.exit(1)
}

const { products: bigCount, urls } = wantedOrExit()
try {
  await Promise.all([
    seedProducts(urls.products).catch((error) => Promise.reject(failureOf('products', error))),
    seedUsers(urls.users).catch((error) => Promise.reject(failureOf('users', error))),
  ])
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}

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
  await addBigCatalogue(store, bigCount, tellProgress)
  await store.close()
  await database.close()
}

/** A line for each tenth. */
function tellProgress(done: number): void {
  const tenth = Math.ceil(bigCount / 10_000) * 1_000
  if (done % tenth === 0 || done === bigCount) console.log(`${done} of ${bigCount} products`)
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
      events: [userRegistered.of({ userId: user.id, name, email, locale: user.locale, phone: user.phone })],
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

/** What to make, and the databases to make it in: those that variables name, else those of the running shop. */
function wantedOrExit() {
  try {
    const { products } = parseArguments(process.argv.slice(2))
    return { products, urls: { products: serviceDatabase('products'), users: serviceDatabase('users') } }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
