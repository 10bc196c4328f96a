import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'

/** Secrets of a development stack, made once and kept in its data folder. */
export type Secrets = {
  /** Of the embedded PostgreSQL's superuser. */
  postgres: string
  /** Of the database roles, by name. */
  databases: Record<string, string>
  /** Private keys of the gateway and the services, by name. */
  keys: Record<string, JWK>
  /** Between the shop and the sandbox of the payment provider. */
  sandbox: string
}

/** Reads the secrets, and makes and keeps those that are missing. */
export async function ensureSecrets(
  dataFolder: string,
  databases: readonly string[],
  keys: readonly string[],
): Promise<Secrets> {
  const file = join(dataFolder, 'secrets.json')
  const known = readPrivate<Partial<Secrets>>(file) ?? {}
  const secrets: Secrets = {
    postgres: known.postgres ?? password(),
    databases: Object.fromEntries(databases.map((name) => [name, known.databases?.[name] ?? password()])),
    keys: Object.fromEntries(
      await Promise.all(keys.map(async (name) => [name, known.keys?.[name] ?? (await newKey(name))])),
    ),
    sandbox: known.sandbox ?? password(),
  }
  writePrivately(file, secrets)
  return secrets
}

/** The public halves of the keys, for everyone: `SERVICE_JWKS`. */
export function publicKeys({ keys }: Secrets): { keys: JWK[] } {
  return { keys: Object.values(keys).map(publicKey) }
}

export function publicKey({ d: _, ...key }: JWK): JWK {
  return key
}

/** Writes JSON that only the owner may read, whole or not at all. */
export function writePrivately(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** The JSON object of such a file. Undefined where there is none. Throws, with the file's name, where it holds something else. */
export function readPrivate<T extends object>(file: string): T | undefined {
  if (!existsSync(file)) return undefined
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof content === 'object' && content !== null) return content as T
  } catch {
    // What stands in it is not shown: it holds secrets.
  }
  throw new Error(`${file} is broken: it holds no JSON object. Mend it, or put it aside, and a new one is made.`)
}

/** The `kid` begins with the service that the key belongs to. */
export async function newKey(service: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const key = await exportJWK(privateKey)
  return { ...key, kid: `${service}.${(await calculateJwkThumbprint(key)).slice(0, 8)}` }
}

/** Text that nobody guesses and that stands in a URL as it is. */
export function password(bytes = 24): string {
  return randomBytes(bytes).toString('base64url')
}
