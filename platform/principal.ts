import { type CryptoKey, errors, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { json } from './env.ts'
import { ServiceError } from './errors.ts'

/** On whose behalf a request is made. The gateway has verified it. */
export type Principal = {
  /** The account's id. Null when anonymous. */
  readonly sub: string | null
  /** The session the access token belongs to. Null when anonymous. */
  readonly sid: string | null
  readonly scopes: readonly string[]
  readonly anonymous: boolean
  /** The client's network address. */
  readonly address: string | null
}

const ed25519 = z.looseObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  kid: z.string().regex(/^[a-z]+\.[\w-]+$/, "kid is the service's name, a dot and a name of the key"),
  x: z.string(),
})

/**
 * Who the processes of the shop are to each other. A key belongs to the service that its `kid` begins with:
 * `orders.3f9c` is a key of `orders`.
 */
export const identitySettings = {
  /** The private key of this service, an Ed25519 JWK. */
  SERVICE_PRIVATE_KEY: json(ed25519.extend({ d: z.string() })),
  /** The public keys of the gateway and of every service, a JWK set. */
  SERVICE_JWKS: json(z.object({ keys: z.array(ed25519) })),
}

export type PrivateKey = z.output<typeof identitySettings.SERVICE_PRIVATE_KEY>
export type PublicKeys = z.output<typeof identitySettings.SERVICE_JWKS>

type Identity = { SERVICE_PRIVATE_KEY?: PrivateKey | undefined; SERVICE_JWKS?: PublicKeys | undefined }

/** A service's key is its own, and its peers have the public half. */
export function identityRule(service: string) {
  return ({ SERVICE_PRIVATE_KEY: own, SERVICE_JWKS: known }: Identity): string[] => {
    const faults: string[] = []
    if (own && serviceOf(own.kid) !== service) faults.push(`SERVICE_PRIVATE_KEY: is not a key of ${service}`)
    if (own && known && !known.keys.some(({ kid, x }) => kid === own.kid && x === own.x))
      faults.push('SERVICE_JWKS: does not hold the public half of SERVICE_PRIVATE_KEY')
    return faults
  }
}

const principalLifetime = 60
const serviceTokenLifetime = 60
const cacheSize = 10_000
/** Seconds that two machines' clocks may differ. */
const clockTolerance = 5

export type Clock = () => Date

/**
 * Signs principals for subgraphs (`x-principal`). Valid for 60 s; the same principal gets the same token until half
 * of that has gone by. Only the gateway has a key that subgraphs accept here.
 */
export function createPrincipalSigner({ key, now = () => new Date() }: { key: PrivateKey; now?: Clock }) {
  const sign = createSigner(key)
  const tokens = new LRUCache<string, Signed>({ max: cacheSize })
  /** The same, for a principal that comes again as the same object. */
  const ofObject = new WeakMap<Principal, Signed>()

  return function signPrincipal(principal: Principal): Promise<string> {
    const time = now().getTime()
    const before = ofObject.get(principal)
    if (before && time < before.reuseUntil) return before.token
    const claims = {
      sub: principal.sub,
      sid: principal.sid,
      scopes: principal.scopes,
      anonymous: principal.anonymous,
      address: principal.address,
    }
    const identity = JSON.stringify(claims)
    let signed = tokens.get(identity)
    if (!signed || time >= signed.reuseUntil) {
      const token = sign({ principal: claims }, 'subgraphs', principalLifetime, new Date(time))
      signed = { token, reuseUntil: time + (principalLifetime * 1000) / 2 }
      tokens.set(identity, signed)
    }
    ofObject.set(principal, signed)
    return signed.token
  }
}

type Signed = { readonly token: Promise<string>; readonly reuseUntil: number }

const principalClaims = z.object({
  principal: z.object({
    sub: z.string().nullable(),
    sid: z.string().nullable(),
    scopes: z.array(z.string()),
    anonymous: z.boolean(),
    address: z.string().nullable(),
  }),
})

/** Verifies `x-principal`. A verified token is remembered until it expires. Throws UNAUTHENTICATED. */
export function createPrincipalVerifier({ keys, now = () => new Date() }: { keys: PublicKeys; now?: Clock }) {
  const verify = createVerifier(keys, now)

  return async function verifyPrincipal(token: string | undefined): Promise<Principal> {
    const { service, payload } = await verify(token, 'subgraphs')
    if (service !== 'gateway') throw unauthenticated('Only the gateway speaks for a user.')
    const claims = principalClaims.safeParse(payload)
    if (!claims.success) throw unauthenticated('The principal is malformed.')
    return claims.data.principal
  }
}

/** Signs tokens by which this service proves to a peer who it is. Valid for 60 s, reused for half of that. */
export function createServiceTokens({ key, now = () => new Date() }: { key: PrivateKey; now?: Clock }) {
  const sign = createSigner(key)
  const tokens = new Map<string, { token: Promise<string>; reuseUntil: number }>()

  return async function serviceToken(audience: string): Promise<string> {
    const time = now().getTime()
    const known = tokens.get(audience)
    if (known && time < known.reuseUntil) return known.token
    const token = sign({}, audience, serviceTokenLifetime, new Date(time))
    tokens.set(audience, { token, reuseUntil: time + (serviceTokenLifetime * 1000) / 2 })
    return token
  }
}

/** Verifies the service token of a caller of `audience` and returns the caller's name. Throws UNAUTHENTICATED. */
export function createServiceTokenVerifier({
  keys,
  audience,
  now = () => new Date(),
}: {
  keys: PublicKeys
  audience: string
  now?: Clock
}) {
  const verify = createVerifier(keys, now)
  return async (token: string | undefined): Promise<string> => (await verify(token, audience)).service
}

function createSigner(key: PrivateKey) {
  const issuer = serviceOf(key.kid)
  const imported = importJWK(key as JWK, 'EdDSA')
  return async (claims: Record<string, unknown>, audience: string, seconds: number, at: Date): Promise<string> => {
    const issuedAt = Math.floor(at.getTime() / 1000)
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid: key.kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .sign(await imported)
  }
}

type Verified = { service: string; payload: Record<string, unknown> }

function createVerifier(keys: PublicKeys, now: Clock) {
  const imported = new Map(keys.keys.map((key) => [key.kid, importJWK(key as JWK, 'EdDSA') as Promise<CryptoKey>]))
  const verified = new LRUCache<string, Verified & { expires: number }>({ max: cacheSize })

  return async function verify(token: string | undefined, audience: string): Promise<Verified> {
    if (!token) throw unauthenticated('The call carries no token.')
    const at = now()
    const cacheKey = `${audience} ${token}`
    const known = verified.get(cacheKey)
    if (known && at.getTime() < known.expires) return known
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        async ({ kid }) => (await imported.get(kid ?? '')) ?? Promise.reject(new errors.JWKSNoMatchingKey()),
        { algorithms: ['EdDSA'], audience, currentDate: at, clockTolerance, requiredClaims: ['exp', 'iss'] },
      )
      const service = serviceOf(protectedHeader.kid ?? '')
      if (payload.iss !== service) throw unauthenticated('The token is signed with the key of another service.')
      const result = { service, payload, expires: (payload.exp ?? 0) * 1000 }
      verified.set(cacheKey, result)
      return result
    } catch (error) {
      if (error instanceof errors.JOSEError) throw unauthenticated('The token is not valid.', error)
      throw error
    }
  }
}

function serviceOf(kid: string): string {
  return kid.slice(0, kid.indexOf('.'))
}

function unauthenticated(message: string, cause?: unknown): ServiceError {
  return new ServiceError('UNAUTHENTICATED', message, {}, { cause })
}
