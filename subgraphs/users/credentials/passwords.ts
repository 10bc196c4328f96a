import { hash, type Options, verify } from '@node-rs/argon2'

/** OWASP's choice for Argon2id, the library's default: 19 MiB, two passes, one lane. */
const options: Options = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 }

/** Hashes and verifies passwords with Argon2id (RFC 9106), kept in PHC string format. */
export function createPasswords() {
  const nobodys = hash('a password that nobody has', options)
  return {
    hash: (password: string): Promise<string> => hash(password, options),
    /** Takes the same time when there is no hash to compare with, and is false then. */
    async verify(hashed: string | undefined, password: string): Promise<boolean> {
      const matches = await verify(hashed ?? (await nobodys), password)
      return matches && hashed !== undefined
    },
  }
}

export type Passwords = ReturnType<typeof createPasswords>
