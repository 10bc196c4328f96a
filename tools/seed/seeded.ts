import pg from 'pg'
import { createPasswords } from '../../subgraphs/users/credentials/passwords.ts'
import { type Accounts, planAccounts } from './accounts.ts'

/** Whether the databases hold goods, and an account for each role that signs in: then there is nothing to seed. */
export async function isSeeded(databases: { users: string; products: string }, known: Accounts): Promise<boolean> {
  try {
    const goods = await query(databases.products, 'SELECT FROM products LIMIT 1')
    const rows = await query(databases.users, 'SELECT email, password_hash FROM users WHERE email = ANY($1)', [
      Object.values(known).map(({ email }) => email),
    ])
    const hashes = new Map(rows.map((row) => [row.email, row.password_hash]))
    const { verify } = createPasswords()
    const { missing } = await planAccounts(known, { hashOf: async (email) => hashes.get(email), verify })
    return goods.length > 0 && missing.length === 0
  } catch {
    // No tables yet. Anything worse stops the seed too, which says what it is.
    return false
  }
}

async function query(url: string, sql: string, values: unknown[] = []) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql, values)).rows
  } finally {
    await client.end()
  }
}
