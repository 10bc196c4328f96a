import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { hasCode, ServiceError } from '#platform/errors.ts'
import { unavailable } from '#platform/mask.ts'
import type { Principal } from '#platform/principal.ts'

export type AuthenticatorOptions = {
  /** Absent: everyone is anonymous. */
  jwksUrl: string | undefined
  issuer: string
  audience: string
  /** Seconds that a key set is used before it is fetched again. Default 600. */
  keySetAge?: number
  /** Told of a token that was refused: from which address and why. */
  onRefused?: (address: string, reason: string) => void
  now?: () => Date
}

/** Seconds that two machines' clocks may differ. */
const clockTolerance = 5
/** Milliseconds between fetches for a key that is not in the set, and after one that failed. */
const keySetCooldown = 30_000
const keySetTimeout = 2_000
/** Verified tokens that are remembered, and their characters together. */
const cacheSize = 10_000
const cacheCharacters = 16_000_000

export type Authenticator = (authorization: string | undefined, address: string) => Promise<Principal>

/**
 * Turns the `Authorization` header into a principal: anonymous without one, the token's account with a valid access
 * token (RFC 9068, verified as RFC 8725 asks). Throws UNAUTHENTICATED for any other, and SUBGRAPH_UNAVAILABLE while the
 * keys cannot be had.
 *
 * A verified token is remembered until it expires or the keys are known to be others, and no longer than a key set is.
 *
 * Guarantee: a token whose key was withdrawn is refused as soon as the key set has been fetched that lacks it.
 */
export function createAuthenticator({
  jwksUrl,
  issuer,
  audience,
  keySetAge = 600,
  onRefused = () => {},
  now = () => new Date(),
}: AuthenticatorOptions): Authenticator {
  if (!jwksUrl) return async (_authorization, address) => anonymous(address)
  let verified = createVerified()
  const keys = createKeySet(new URL(jwksUrl), keySetAge * 1000, () => {
    verified = createVerified()
  })

  async function verify(token: string): Promise<JWTPayload> {
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
      return payload
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw refuse('The access token has expired.', error)
      if (keysMissing(error)) throw unavailable('users', error)
      throw refuse('The access token is not valid.', error)
    }
  }

  async function claimsOf(authorization: string, address: string): Promise<JWTPayload> {
    try {
      const [, token] = /^Bearer ([\w\-.~+/]+=*)$/i.exec(authorization) ?? []
      if (!token) throw refuse('The Authorization header holds no bearer token.')
      return await verify(token)
    } catch (error) {
      if (hasCode(error, 'UNAUTHENTICATED')) onRefused(address, error.message)
      throw error
    }
  }

  return async function authenticate(authorization, address) {
    if (authorization === undefined) return anonymous(address)
    const time = now().getTime()
    const remembered = verified
    const known = remembered.get(authorization)
    if (known && time < known.until) {
      if (known.principal.address !== address) known.principal = { ...known.principal, address }
      return known.principal
    }
    const { sub = null, sid, scope, exp = 0 } = await claimsOf(authorization, address)
    const principal = {
      sub,
      sid: typeof sid === 'string' ? sid : null,
      scopes: typeof scope === 'string' && scope !== '' ? scope.split(' ') : [],
      anonymous: false,
      address,
    }
    // Among those of the keys that it began with: with others it has to be verified again.
    remembered.set(authorization, { principal, until: Math.min(exp * 1000, time + keySetAge * 1000) })
    return principal
  }
}

/** Whose a token is, as its last caller came, and until when it is believed without another look. */
type Verified = { principal: Principal; readonly until: number }

function createVerified(): LRUCache<string, Verified> {
  return new LRUCache({
    max: cacheSize,
    maxSize: cacheCharacters,
    sizeCalculation: (_verified, authorization) => authorization.length,
  })
}

/**
 * The keys that the issuer publishes, fetched when they are needed. While they cannot be fetched, those that were known
 * last are used: a token stays good when the service that issued it is down. `onChange` is called when they are others than before.
 */
function createKeySet(url: URL, age: number, onChange: () => void): JWTVerifyGetKey {
  const options = { cacheMaxAge: age, cooldownDuration: keySetCooldown, timeoutDuration: keySetTimeout }
  const fetched = createRemoteJWKSet(url, options)
  let kept: JWTVerifyGetKey | undefined
  let keptText: string | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  function keep(): void {
    const known = fetched.jwks()
    const text = JSON.stringify(known)
    if (!known || text === keptText) return
    kept = createLocalJWKSet(known)
    keptText = text
    onChange()
  }

  return async function keyOf(header, token) {
    let failure: unknown
    if (!kept || performance.now() - failedAt > keySetCooldown) {
      try {
        return await fetched(header, token).finally(keep)
      } catch (error) {
        if (!kept || !keysMissing(error)) throw error
        failedAt = performance.now()
        failure = error
      }
    }
    try {
      return await kept(header, token)
    } catch (error) {
      // It may be a key that was published since.
      throw error instanceof errors.JWKSNoMatchingKey ? new errors.JWKSTimeout(undefined, { cause: failure }) : error
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
