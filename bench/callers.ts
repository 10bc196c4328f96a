import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** Whom the requests of a bench come from: signed-in users, and what a gateway needs to know them by. */
export type Callers = {
  /** An access token of each. */
  readonly tokens: readonly string[]
  /** The key set that a gateway reads at `JWKS_URL`, as JSON. */
  readonly keySet: string
  /** The key that a gateway signs principals with, `SERVICE_PRIVATE_KEY`. */
  readonly gatewayKey: string
}

/** Makes so many users, with a scope each, who are signed in for four hours. */
export async function createCallers(count: number, scopeOf: (n: number) => string): Promise<Callers> {
  const tokenKey = await generateKeyPair('EdDSA', { extractable: true })
  const gatewayKey = await generateKeyPair('EdDSA', { extractable: true })
  const published = { ...(await exportJWK(tokenKey.publicKey)), kid: 'bench', alg: 'EdDSA', use: 'sig' }
  const tokens = Array.from({ length: count }, (_, n) =>
    new SignJWT({ sid: `s${n}`, scope: scopeOf(n) })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'bench' })
      .setIssuer('commerce-users')
      .setAudience('commerce-graph')
      .setSubject(`u${n}`)
      .setJti(`j${n}`)
      .setIssuedAt()
      .setExpirationTime('4h')
      .sign(tokenKey.privateKey),
  )
  return {
    tokens: await Promise.all(tokens),
    keySet: JSON.stringify({ keys: [published] }),
    gatewayKey: JSON.stringify({ ...(await exportJWK(gatewayKey.privateKey)), kid: 'gateway.bench', alg: 'EdDSA' }),
  }
}
