import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { ServiceError } from '#platform/errors.ts'
import { unavailable } from '#platform/mask.ts'
import type { Principal } from '#platform/principal.ts'

export type AuthenticatorOptions = {
  /** Absent: everyone is anonymous. */
  jwksUrl: string | undefined
  issuer: string
  audience: string
  now?: () => Date
}

/** Seconds that two machines' clocks may differ. */
const clockTolerance = 5
/** Milliseconds a key set is used before it is fetched again, and between fetches for a key that is not in it. */
const keySetAge = 600_000
const keySetCooldown = 30_000
const keySetTimeout = 2_000
/** Verified tokens that are remembered until they expire. */
const cacheSize = 10_000

export type Authenticator = (authorization: string | undefined, address: string) => Promise<Principal>

/**
 * Turns the `Authorization` header into a principal: anonymous without one, the token's account with a valid access
 * token (RFC 9068, verified as RFC 8725 asks). Throws UNAUTHENTICATED for any other, and SUBGRAPH_UNAVAILABLE while the
 * keys cannot be fetched.
 */
export function createAuthenticator({
  jwksUrl,
  issuer,
  audience,
  now = () => new Date(),
}: AuthenticatorOptions): Authenticator {
  if (!jwksUrl) return async (_authorization, address) => anonymous(address)
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: keySetAge,
    cooldownDuration: keySetCooldown,
    timeoutDuration: keySetTimeout,
  })
  const verified = new LRUCache<string, JWTPayload>({ max: cacheSize })

  async function verify(token: string): Promise<JWTPayload> {
    const known = verified.get(token)
    if (known?.exp !== undefined && known.exp * 1000 > now().getTime()) return known
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer,
        audience,
        clockTolerance,
        currentDate: now(),
        requiredClaims: ['sub', 'sid', 'exp', 'iat', 'jti'],
      })
      verified.set(token, payload)
      return payload
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw refuse('The access token has expired.', error)
      if (keysMissing(error)) throw unavailable('users', error)
      throw refuse('The access token is not valid.', error)
    }
  }

  return async function authenticate(authorization, address) {
    if (authorization === undefined) return anonymous(address)
    const [, token] = /^Bearer ([\w\-.~+/]+=*)$/i.exec(authorization) ?? []
    if (!token) throw refuse('The Authorization header holds no bearer token.')
    const { sub = null, sid, scope } = await verify(token)
    return {
      sub,
      sid: typeof sid === 'string' ? sid : null,
      scopes: typeof scope === 'string' && scope !== '' ? scope.split(' ') : [],
      anonymous: false,
      address,
    }
  }
}

/** True when the keys could not be had: no answer, or one that is no key set. The token may be good. */
function keysMissing(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true
  // The generic code is that of an answer with another status than 200, or without JSON.
  return ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'].includes(error.code)
}

function anonymous(address: string): Principal {
  return { sub: null, sid: null, scopes: [], anonymous: true, address }
}

function refuse(message: string, cause?: unknown): ServiceError {
  return new ServiceError('UNAUTHENTICATED', message, {}, { cause })
}
