import { createHash, randomBytes } from 'node:crypto'
import { createLocalJWKSet, errors, jwtVerify, SignJWT } from 'jose'
import type { RefreshHashes } from '../domain/account.ts'
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
    /**
     * An opaque token of 256 random bits, behind the first token of its session where it comes after another one. Only its
     * hash is kept.
     */
    refresh(last?: string): RefreshHashes & { token: string } {
      const random = randomBytes(32).toString('base64url')
      const token = last === undefined ? random : `${firstOf(last)}.${random}`
      return { token, ...hashRefreshToken(token) }
    },
  }
}

export type Tokens = ReturnType<typeof createTokens>

export function hashRefreshToken(token: string): RefreshHashes {
  return { hash: hashOf(token), firstHash: hashOf(firstOf(token)) }
}

function firstOf(token: string): string {
  return token.split('.', 1)[0] ?? ''
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
