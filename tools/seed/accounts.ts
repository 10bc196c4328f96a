import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Passwords } from '../../subgraphs/users/credentials/passwords.ts'
import { readPrivate } from '../infra/secrets.ts'

/** An account for demonstration. */
export type Account = { name: string; email: string; password: string }
export type Accounts = Record<string, Account>

const names = { customer: 'Carla Customer', support: 'Sven Support', manager: 'Mona Manager', admin: 'Ada Admin' }

/** Where the accounts of a data folder are. */
export function accountsFile(folder: string): string {
  return join(folder, 'demo.json')
}

/** The accounts that the data folder knows, by role. */
export function knownAccounts(folder: string): Accounts {
  return readPrivate<Accounts>(accountsFile(folder)) ?? {}
}

/** What is asked of a database: the hash of an account's password, and whether it is that of a password. */
type Users = {
  hashOf(email: string): Promise<string | undefined>
  verify: Passwords['verify']
}

/**
 * An account for each role: the known ones, except that an address which is taken, with a password we do not know, is
 * replaced. `missing` are the roles whose account is still to be made, `taken` the addresses that were replaced.
 *
 * Guarantee: where the missing accounts are made, each account signs in.
 */
export async function planAccounts(known: Accounts, { hashOf, verify }: Users) {
  const accounts: Accounts = {}
  const missing: string[] = []
  const taken: string[] = []
  for (const [role, name] of Object.entries(names)) {
    const account = known[role] ?? { name, email: `${role}@shop.example`, password: newPassword() }
    const hash = await hashOf(account.email)
    const signsIn = await verify(hash, account.password)
    if (!signsIn) missing.push(role)
    if (hash && !signsIn) taken.push(account.email)
    accounts[role] = hash && !signsIn ? { name, email: newAddress(role), password: newPassword() } : account
  }
  return { accounts, missing, taken }
}

function newAddress(role: string): string {
  return `${role}-${randomBytes(4).toString('hex')}@shop.example`
}

function newPassword(): string {
  return randomBytes(12).toString('base64url')
}
