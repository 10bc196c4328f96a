import { hash, type Options, verify } from '@node-rs/argon2'
import { createGate } from './gate.ts'

/** OWASP's choice for Argon2id, the library's default: 19 MiB, two passes, one lane. */
const parameters = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const satisfies Options
const { memoryCost, timeCost, parallelism } = parameters

/** How a hash with these parameters begins, in PHC string format. */
const current = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`

export type PasswordsOptions = {
  /**
   * Hashes that are computed at once, each of which takes 19 MiB. Default 3: of Node's 4 threads one is left for signing and
   * verifying tokens, which a burst of sign-ins would hold up otherwise.
   */
  concurrency?: number
  /** Milliseconds that a caller waits for its turn. Default 2000. */
  wait?: number
}

/**
 * Hashes and verifies passwords with Argon2id (RFC 9106), kept in PHC string format. Throws OVERLOADED where more are asked
 * for than there is time for, so that a burst of sign-ins cannot exhaust memory.
 */
export function createPasswords({ concurrency = 3, wait = 2_000 }: PasswordsOptions = {}) {
  const nobodys = hash('a password that nobody has', parameters)
  const pass = createGate({ size: concurrency, wait })
  return {
    hash: (password: string): Promise<string> => pass(() => hash(password, parameters)),
    /** Takes the same time when there is no hash to compare with, and is false then. */
    async verify(hashed: string | undefined, password: string): Promise<boolean> {
      const known = hashed ?? (await nobodys)
      const matches = await pass(() => verify(known, password))
      return matches && hashed !== undefined
    },
    /** Whether a hash was made with other parameters than are used now. */
    isOutdated: (hashed: string): boolean => !hashed.startsWith(current),
  }
}

export type Passwords = ReturnType<typeof createPasswords>
