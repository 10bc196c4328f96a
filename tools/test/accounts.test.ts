import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Account, planAccounts } from '../seed/accounts.ts'

const verify = async (hash: string | undefined, password: string) => hash === `hash of ${password}`

/** A database with these accounts. */
const holding = (...accounts: Account[]) => ({
  hashOf: async (wanted: string) => {
    const found = accounts.find(({ email }) => email === wanted)
    return found && `hash of ${found.password}`
  },
  verify,
})

test('an empty database gets an account for each role, and a second run finds them', async () => {
  const { accounts, missing, taken } = await planAccounts({}, holding())
  assert.deepEqual([missing, taken], [['customer', 'support', 'manager', 'admin'], []])
  const again = await planAccounts(accounts, holding(...Object.values(accounts)))
  assert.deepEqual(again, { accounts, missing: [], taken: [] })
})

test('known accounts are made with the passwords that are known', async () => {
  const { accounts } = await planAccounts({}, holding())
  assert.deepEqual((await planAccounts(accounts, holding())).accounts, accounts)
})

test('no password is written that does not work: an address taken by an account of unknown password is replaced', async () => {
  const { accounts: others } = await planAccounts({}, holding())
  for (const known of [{}, { admin: { ...(others.admin as Account), password: 'of another database' } }]) {
    const { accounts, missing, taken } = await planAccounts(known, holding(...Object.values(others)))
    assert.deepEqual(missing, Object.keys(others))
    assert.deepEqual(
      taken,
      Object.values(others).map(({ email }) => email),
    )
    const addresses = new Set(Object.values(others).map(({ email }) => email))
    assert.ok(Object.values(accounts).every(({ email }) => !addresses.has(email)))
  }
})
