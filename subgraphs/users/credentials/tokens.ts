import { createHash, randomBytes } from 'node:crypto'
import { createLocalJWKSet, errors, jwtVerify, SignJWT } from 'jose'
import type { KeyRing } from './signing-keys.ts'

export type AccessClaims = { userId: string; sessionId: string; scopes: readonly string[] }

export type TokensOptions = {
  keys: KeyRing
  issuer: string
  audience: string
  /** Seconds that an access token is valid. */
  lifetime: number
  now: () => Date
  newId: () => string
}

/** Issues access tokens (RFC 9068) and refresh tokens. */
export function createTokens({ keys, issuer, audience, lifetime, now, newId }: TokensOptions) {
  return {
    lifetime,
    access({ userId, sessionId, scopes }: AccessClaims): Promise<string> {
      const issuedAt = Math.floor(now().getTime() / 1000)
      const { kid, key } = keys.signer()
      return new SignJWT({ sid: sessionId, scope: scopes.join(' ') })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(newId())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetime)
        .sign(key)
    },
    /** Whose an access token of ours is. Undefined for one that is not valid. */
    async verify(token: string): Promise<{ userId: string; sessionId: string } | undefined> {
      try {
        const { payload } = await jwtVerify<{ sid: string }>(token, createLocalJWKSet(keys.jwks()), {
          algorithms: ['EdDSA'],
          typ: 'at+jwt',
          issuer,
          audience,
          currentDate: now(),
          requiredClaims: ['sub', 'sid', 'exp', 'iat', 'jti'],
        })
        return payload.sub ? { userId: payload.sub, sessionId: payload.sid } : undefined
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
    /** An opaque token of 256 random bits. Only its hash is kept. */
    refresh(): { token: string; hash: string } {
      const token = randomBytes(32).toString('base64url')
      return { token, hash: hashRefreshToken(token) }
    },
  }
}

export type Tokens = ReturnType<typeof createTokens>

export function hashRefreshToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
