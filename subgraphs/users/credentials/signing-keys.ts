import { randomBytes } from 'node:crypto'
import { CompactEncrypt, type CryptoKey, compactDecrypt, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'

/** A key that signs access tokens, as it is kept. */
export type StoredKey = {
  kid: string
  publicJwk: JWK
  /** A JWE that holds it, or the JWK as it is where nothing encrypts it. */
  privateJwk: JWK | string
  createdAt: Date
  /** When it takes the place of the one before. It is published earlier, so that whoever verifies has it by then. */
  signsFrom: Date
}

/** Milliseconds that clocks may differ, and that a key set under way may be old, beyond the life of the last token. */
const margin = 60_000

/** Encrypts private keys, and reads both encrypted and plain ones. `secret`: 32 bytes, absent where keys are kept plain. */
export function createKeySeal(secret: Uint8Array | undefined) {
  return {
    async seal(key: JWK): Promise<JWK | string> {
      if (!secret) return key
      return new CompactEncrypt(Buffer.from(JSON.stringify(key)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(secret)
    },
    /** Throws where the key was encrypted with another secret. */
    async open({ kid, privateJwk }: StoredKey): Promise<JWK> {
      if (typeof privateJwk !== 'string') return privateJwk
      if (!secret) throw new Error(`The signing key ${kid} is encrypted, and SIGNING_KEYS_SECRET is not set.`)
      const options = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }
      const opened = await compactDecrypt(privateJwk, secret, options).catch((cause) => {
        throw new Error(`SIGNING_KEYS_SECRET is not the one that the signing key ${kid} was encrypted with.`, { cause })
      })
      const key = JSON.parse(Buffer.from(opened.plaintext).toString()) as JWK
      if (key.kid !== kid) throw new Error(`The signing key ${kid} holds another key.`)
      return key
    },
  }
}

export type KeySeal = ReturnType<typeof createKeySeal>

/** A new key, published at once. `delay`: seconds after which it signs. */
export async function newSigningKey({ seal, now, delay }: { seal: KeySeal['seal']; now: Date; delay: number }) {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const kid = randomBytes(8).toString('hex')
  const about = { kid, alg: 'EdDSA', use: 'sig' }
  return {
    kid,
    publicJwk: { ...(await exportJWK(publicKey)), ...about },
    privateJwk: await seal({ ...(await exportJWK(privateKey)), ...about }),
    createdAt: now,
    signsFrom: new Date(now.getTime() + delay * 1000),
  } satisfies StoredKey
}

/** What a start adds: a key that signs at once, where there is none at all. */
export function createFirstKey({ seal, now, onAdded }: FirstKeyOptions) {
  return async (known: readonly StoredKey[]): Promise<StoredKey | undefined> => {
    if (known.length > 0) return undefined
    const key = await newSigningKey({ seal, now: now(), delay: 0 })
    onAdded(key.kid)
    return key
  }
}

type FirstKeyOptions = { seal: KeySeal['seal']; now: () => Date; onAdded: (kid: string) => void }

export type KeyState = 'waiting' | 'signing' | 'superseded' | 'gone'

/**
 * What each key is for at a time, in the order of their turns: the one that began last signs. A superseded one is gone
 * when no token of its can be valid any more. `lifetime`: seconds that a token is valid.
 */
export function keyStates<Key extends Pick<StoredKey, 'kid' | 'signsFrom'>>(
  keys: readonly Key[],
  { at, lifetime }: { at: Date; lifetime: number },
): { key: Key; state: KeyState }[] {
  const inTurn = [...keys].sort((a, b) => a.signsFrom.getTime() - b.signsFrom.getTime() || (a.kid < b.kid ? -1 : 1))
  const signer = Math.max(
    0,
    inTurn.findLastIndex(({ signsFrom }) => signsFrom <= at),
  )
  return inTurn.map((key, index) => {
    if (index === signer) return { key, state: 'signing' }
    if (index > signer) return { key, state: 'waiting' }
    const superseded = inTurn[index + 1]?.signsFrom.getTime() ?? 0
    return { key, state: superseded + lifetime * 1000 + margin < at.getTime() ? 'gone' : 'superseded' }
  })
}

export type KeyRingOptions = {
  load: () => Promise<StoredKey[]>
  /** Deletes keys that are gone. */
  remove: (kids: readonly string[]) => Promise<void>
  open: KeySeal['open']
  /** Seconds that an access token is valid. */
  lifetime: number
  now: () => Date
}

/**
 * The keys of access tokens as one instance knows them. Which one signs goes by the clock, so that instances change over
 * together, long after each has learnt of the next key. `refresh` once before use, and then again and again.
 */
export function createKeyRing({ load, remove, open, lifetime, now }: KeyRingOptions) {
  let keys: readonly StoredKey[] = []
  let opened = new Map<string, CryptoKey | Uint8Array>()
  const states = () => keyStates(keys, { at: now(), lifetime })

  return {
    /** Learns what keys there are, and deletes those that are gone. Never has more to do at once. */
    async refresh(): Promise<boolean> {
      const found = keyStates(await load(), { at: now(), lifetime })
      const gone = found.filter(({ state }) => state === 'gone').map(({ key }) => key.kid)
      if (gone.length > 0) await remove(gone)
      const kept = found.filter(({ state }) => state !== 'gone').map(({ key }) => key)
      const imported = kept.map(
        async (key) => [key.kid, opened.get(key.kid) ?? (await importJWK(await open(key), 'EdDSA'))] as const,
      )
      opened = new Map(await Promise.all(imported))
      keys = kept
      return false
    },
    /** The key that signs now. */
    signer(): { kid: string; key: CryptoKey | Uint8Array } {
      const kid = states().find(({ state }) => state === 'signing')?.key.kid
      const key = kid && opened.get(kid)
      if (!key) throw new Error('There is no key to sign access tokens with.')
      return { kid, key }
    },
    /** The public keys, for those who verify, RFC 7517. Those that will sign are among them. */
    jwks: (): { keys: JWK[] } => ({
      keys: states().flatMap(({ key, state }) => (state === 'gone' ? [] : [key.publicJwk])),
    }),
  }
}

export type KeyRing = ReturnType<typeof createKeyRing>
