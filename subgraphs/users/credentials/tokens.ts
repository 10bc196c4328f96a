import { createHash, randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'

/** A key that signs access tokens. */
export type SigningKey = { kid: string; publicJwk: JWK; privateJwk: JWK; createdAt: Date }

export type AccessClaims = { userId: string; sessionId: string; scopes: readonly string[] }

export type TokensOptions = {
  /** The newest signs, all verify. At least one. */
  keys: readonly SigningKey[]
  issuer: string
  audience: string
  /** Seconds that an access token is valid. */
  lifetime: number
  now: () => Date
  newId: () => string
}

/** Issues access tokens (RFC 9068) and refresh tokens. */
export async function createTokens({ keys, issuer, audience, lifetime, now, newId }: TokensOptions) {
  const [newest] = [...keys].sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
  if (!newest) throw new Error('There is no key to sign access tokens with.')
  const { kid } = newest
  const privateKey = await importJWK(newest.privateJwk, 'EdDSA')

  return {
    lifetime,
    access({ userId, sessionId, scopes }: AccessClaims): Promise<string> {
      const issuedAt = Math.floor(now().getTime() / 1000)
      return new SignJWT({ sid: sessionId, scope: scopes.join(' ') })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(newId())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetime)
        .sign(privateKey)
    },
    /** An opaque token of 256 random bits. Only its hash is kept. */
    refresh(): { token: string; hash: string } {
      const token = randomBytes(32).toString('base64url')
      return { token, hash: hashRefreshToken(token) }
    },
    /** The public keys, for those who verify. RFC 7517. */
    jwks: (): { keys: JWK[] } => ({ keys: keys.map(({ publicJwk }) => publicJwk) }),
  }
}

export type Tokens = Awaited<ReturnType<typeof createTokens>>

export function hashRefreshToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

export async function generateSigningKey(now: Date): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const kid = randomBytes(8).toString('hex')
  const about = { kid, alg: 'EdDSA', use: 'sig' }
  return {
    kid,
    publicJwk: { ...(await exportJWK(publicKey)), ...about },
    privateJwk: { ...(await exportJWK(privateKey)), ...about },
    createdAt: now,
  }
}
