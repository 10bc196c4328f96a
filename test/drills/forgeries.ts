import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  randomUUID,
  type webcrypto,
} from 'node:crypto'
import { base64url, CompactEncrypt, exportJWK, GeneralSign, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'

type Claims = Record<string, unknown>

/** What attackers know or may get hold of. */
export type Loot = {
  /** The key that signs access tokens. Used to make tokens that are wrong in one thing alone. */
  signingKey: JWK & { kid: string }
  /** A good access token of another account. */
  accessToken: string
  refreshToken: string
  /** Tokens that processes show each other. */
  principalToken: string
  serviceToken: string
}

/** The order of the curve's group. A signature whose `s` is larger by it is another one that verifies, if nobody looks. */
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n

/**
 * Access tokens as attackers make them, by what is wrong with each (RFC 8725, and the attacks that made it necessary).
 * None may be accepted. `control` is one with nothing wrong, of an account that never was.
 */
export async function forgeTokens(loot: Loot): Promise<{ control: string; forged: Record<string, string> }> {
  const { signingKey } = loot
  const key = (await importJWK(signingKey, 'EdDSA')) as webcrypto.CryptoKey
  const { d: _, ...publicJwk } = signingKey
  const seconds = Math.floor(Date.now() / 1000)
  const good: Claims = {
    sub: randomUUID(),
    sid: randomUUID(),
    scope: 'users:read users:write orders:read',
    jti: randomUUID(),
    iss: 'commerce-users',
    aud: 'commerce-graph',
    iat: seconds,
    exp: seconds + 900,
  }
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: signingKey.kid }
  const without = (claim: string) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim))
  const sign = (claims: Claims, changed: object = {}, by: webcrypto.CryptoKey = key) =>
    new SignJWT(claims).setProtectedHeader({ ...header, ...changed }).sign(by)
  const part = (value: unknown) => base64url.encode(JSON.stringify(value))
  const raw = (head: object, claims: Claims, signature = '') => `${part(head)}.${part(claims)}.${signature}`
  const hmac = (secret: string | Buffer) => {
    const input = raw({ ...header, alg: 'HS256' }, good).slice(0, -1)
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }

  const whole = await sign(good)
  const [head = '', body = '', signature = ''] = whole.split('.')
  const pem = createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  })
  const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const strangersJwk = await exportJWK(stranger.publicKey)
  const curve = await generateKeyPair('ES256', { extractable: true })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const psychic = base64url.encode(new Uint8Array(64))

  const forged = {
    'no token at all': '',
    'not a token': 'nonsense',
    'three empty parts': '..',
    'not JSON': 'bm8.bm8.bm8',
    'signed by a stranger': await sign(good, {}, stranger.privateKey),
    'signed by a stranger, under a kid of its own': await sign(good, { kid: 'mine' }, stranger.privateKey),
    'an unknown kid': await sign(good, { kid: randomUUID() }),
    'a kid that is a path': await sign(good, { kid: '../../../../dev/null' }),
    'a kid that is SQL': await sign(good, { kid: "' OR 1=1 --" }),
    'alg none': raw({ ...header, alg: 'none' }, good),
    'alg nOnE': raw({ ...header, alg: 'nOnE' }, good),
    'alg none with a signature': raw({ ...header, alg: 'none' }, good, signature),
    'alg absent': raw({ typ: 'at+jwt', kid: signingKey.kid }, good, signature),
    'HS256 with the public key': hmac(Buffer.from(base64url.decode(publicJwk.x ?? ''))),
    'HS256 with the public key as PEM': hmac(pem),
    'HS256 with the public key as JWK': hmac(JSON.stringify(publicJwk)),
    'HS256 with an empty secret': hmac(''),
    'its own key in jwk': await sign(good, { jwk: strangersJwk }, stranger.privateKey),
    'its own key set in jku': await sign(good, { jku: 'https://attacker.example/jwks.json' }, stranger.privateKey),
    'its own certificate in x5u': await sign(good, { x5u: 'https://attacker.example/cert.pem' }, stranger.privateKey),
    'its own certificate in x5c': await sign(good, { x5c: ['MIIB'] }, stranger.privateKey),
    'a critical header that nobody knows': raw({ ...header, crit: ['exp'], exp: 1 }, good, signature),
    'an unencoded payload': raw({ ...header, b64: false, crit: ['b64'] }, good, signature),
    RS256: await new SignJWT(good).setProtectedHeader({ ...header, alg: 'RS256' }).sign(rsa),
    ES256: await sign(good, { alg: 'ES256' }, curve.privateKey),
    'ES256 with a signature of zeros': raw({ ...header, alg: 'ES256' }, good, psychic),
    'ES256 with an empty signature': raw({ ...header, alg: 'ES256' }, good),
    'a signature of zeros': `${head}.${body}.${psychic}`,
    'a malleable signature': `${head}.${body}.${malleable(signature)}`,
    'no signature': `${head}.${body}.`,
    'two parts': `${head}.${body}`,
    'four parts': `${whole}.${signature}`,
    'half a signature': `${head}.${body}.${signature.slice(0, 43)}`,
    "another token's signature": `${head}.${body}.${(await sign({ ...good, jti: 'x' })).split('.')[2]}`,
    'altered claims': `${head}.${part({ ...good, scope: 'users:write' })}.${signature}`,
    'an altered header': `${part({ ...header, kid: signingKey.kid, x: 1 })}.${body}.${signature}`,
    'another issuer': await sign({ ...good, iss: 'https://attacker.example' }),
    'no issuer': await sign(without('iss')),
    'another audience': await sign({ ...good, aud: 'other-graph' }),
    'no audience': await sign(without('aud')),
    'typ JWT': await sign(good, { typ: 'JWT' }),
    'typ of an ID token': await sign(good, { typ: 'id+jwt' }),
    'no typ': await sign(good, { typ: undefined }),
    expired: await sign({ ...good, exp: seconds - 60 }),
    'no expiry': await sign(without('exp')),
    'an expiry in words': raw(header, { ...good, exp: 'never' }, signature),
    'not valid yet': await sign({ ...good, nbf: seconds + 600 }),
    'no time of issue': await sign(without('iat')),
    'no subject': await sign(without('sub')),
    'no session': await sign(without('sid')),
    'no id': await sign(without('jti')),
    'a token in a token': await new SignJWT({ token: whole }).setProtectedHeader({ ...header, cty: 'JWT' }).sign(key),
    'an encrypted token': await new CompactEncrypt(Buffer.from(whole))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', cty: 'JWT' })
      .encrypt(new Uint8Array(32)),
    'the JSON serialization': base64url.encode(
      JSON.stringify(
        await new GeneralSign(Buffer.from(JSON.stringify(good))).addSignature(key).setProtectedHeader(header).sign(),
      ),
    ),
    'a very long token': `${head}.${part({ ...good, pad: 'x'.repeat(9_000) })}.${signature}`,
    'a refresh token': loot.refreshToken,
    "the gateway's principal": loot.principalToken,
    'a service token': loot.serviceToken,
    "another's token, altered": loot.accessToken.replace(/\.(.)/, (_dot, first) => `.${first === 'A' ? 'B' : 'A'}`),
  }
  return { control: whole, forged }
}

/** The same signature with `s + L`. RFC 8032 has verifiers refuse it, section 5.1.7. */
function malleable(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url')
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + groupOrder
  const larger = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
  return Buffer.concat([bytes.subarray(0, 32), larger]).toString('base64url')
}
