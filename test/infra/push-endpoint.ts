import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { createSecureServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Writable } from 'node:stream'
import { selfSigned } from './certificate.ts'

/** What a browser was sent, read as the browser reads it, and what is wrong with how it was sent. */
export type ReceivedPush = {
  readonly path: string
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly payload: unknown
  readonly claims: Record<string, unknown>
}

/** What the service answers: a status, none at all, or more than anybody reads. */
export type PushAnswer = number | 'hang' | 'flood' | { status: number; headers: Record<string, string> }

/**
 * A push service on this machine, with one browser, by HTTP/2 as the real ones. It believes a message for its VAPID token and decrypts it with
 * node:crypto alone, so that what is proven is the standards and not a library's agreement with itself.
 */
export async function startPushService(publicKey: string) {
  const certificate = selfSigned('localhost', 'push.test')
  const browser = createECDH('prime256v1')
  browser.generateKeys()
  const auth = randomBytes(16)
  const received: ReceivedPush[] = []
  const state: { answer: PushAnswer } = { answer: 201 }

  const server = createSecureServer({ ...certificate, allowHTTP1: true }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const { answer } = state
    try {
      const claims = verifyVapid(String(request.headers.authorization), publicKey, origin)
      const payload = JSON.parse(decrypt(body, browser.getPrivateKey(), browser.getPublicKey(), auth).toString())
      const { url: path = '', headers, httpVersion } = request
      received.push({ path, httpVersion, headers, body, payload, claims })
    } catch (error) {
      return void response.writeHead(403).end(String(error))
    }
    if (answer === 'hang') return
    if (answer === 'flood') return flood(response.writeHead(201))
    if (typeof answer === 'number') response.writeHead(answer).end()
    else response.writeHead(answer.status, answer.headers).end()
  })
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => void sessions.add(session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = `https://localhost:${port}`

  return {
    port,
    /** PEM of what its certificate is believed for. */
    ca: certificate.cert,
    state,
    received,
    /** The browser's subscription. */
    subscription: {
      endpoint: `${origin}/push/abc?token=1`,
      p256dh: browser.getPublicKey('base64url'),
      auth: auth.toString('base64url'),
    },
    async close() {
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What the token of RFC 8292 says, which must be signed with the key that the browser subscribed with. Throws Error. */
function verifyVapid(authorization: string, publicKey: string, origin: string): Record<string, unknown> {
  const [, head = '', body = '', signature = '', key] =
    /^vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), ?k=([\w-]+)$/.exec(authorization) ?? []
  if (key !== publicKey) throw new Error('Signed with another key than subscribed with.')
  const point = Buffer.from(key, 'base64url')
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'))
  const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }
  const verifier = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
  if (JSON.parse(decode(head)).alg !== 'ES256') throw new Error('Not signed by ES256.')
  if (!verify('sha256', Buffer.from(`${head}.${body}`), verifier, Buffer.from(signature, 'base64url'))) {
    throw new Error('The signature is not valid.')
  }
  const claims = JSON.parse(decode(body))
  const seconds = Date.now() / 1_000
  if (claims.aud !== origin) throw new Error('Meant for another push service.')
  if (!(claims.exp > seconds && claims.exp <= seconds + 86_400))
    throw new Error('Expired, or good for more than a day.')
  if (!/^(mailto:|https:)/.test(claims.sub)) throw new Error('Names nobody.')
  return claims
}

/** Reads `aes128gcm` of RFC 8188 with the keys of RFC 8291. Throws Error. */
function decrypt(body: Buffer, privateKey: Buffer, publicKey: Buffer, auth: Buffer): Buffer {
  if (body.length > 4_096) throw new Error('Larger than a push service must take.')
  const salt = body.subarray(0, 16)
  const recordSize = body.readUInt32BE(16)
  const headLength = 21 + body.readUInt8(20)
  const sender = body.subarray(21, headLength)
  const record = body.subarray(headLength)
  if (record.length > recordSize) throw new Error('More than one record.')
  const browser = createECDH('prime256v1')
  browser.setPrivateKey(privateKey)
  const shared = browser.computeSecret(sender)
  const derive = (key: Buffer, salt: Buffer, info: Buffer, length: number) =>
    Buffer.from(hkdfSync('sha256', key, salt, info, length))
  const secret = derive(shared, auth, Buffer.concat([Buffer.from('WebPush: info\0'), publicKey, sender]), 32)
  const key = derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16)
  const nonce = derive(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12)
  const decipher = createDecipheriv('aes-128-gcm', key, nonce)
  decipher.setAuthTag(record.subarray(-16))
  const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()])
  // The last record's content ends with 2, and zeros may follow.
  const end = padded.findLastIndex((byte) => byte !== 0)
  if (padded[end] !== 2) throw new Error('Not the last record.')
  return padded.subarray(0, end)
}

const decode = (part: string) => Buffer.from(part, 'base64url').toString()

/** Goes on until the other side has had enough. */
function flood(response: Writable): void {
  const more = () => {
    while (response.writable && response.write(Buffer.alloc(64 * 1024)));
  }
  response.on('drain', more)
  more()
}
