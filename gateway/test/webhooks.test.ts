import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { request } from 'undici'
import { ServiceError } from '#platform/errors.ts'
import { createHealth } from '#platform/health.ts'
import { createHttpServer } from '#platform/http.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import { traceRequest } from '#platform/telemetry/http.ts'
import { createWebhookForwarder, serveWebhooks, type WebhookForwarder } from '../http/webhooks.ts'

/** Payments, on a real connection. */
let payments: Server
let status: number | undefined
/** What payments wait for before they answer. */
let gate: Promise<void> | undefined
let seen: { url: string; headers: IncomingMessage['headers']; body: Buffer }[]
let refusal: ServiceError | undefined
let forwarder: WebhookForwarder
let app: FastifyInstance
let url: string
let paymentsUrl: string

before(async () => {
  payments = createServer(async (message, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of message) chunks.push(chunk)
    seen.push({ url: message.url ?? '', headers: message.headers, body: Buffer.concat(chunks) })
    await gate
    if (status !== undefined) response.writeHead(status).end(status === 204 ? '' : '{"errors":[]}')
  })
  await new Promise<void>((resolve) => payments.listen(0, '127.0.0.1', resolve))
  const { port } = payments.address() as AddressInfo
  paymentsUrl = `http://127.0.0.1:${port}/graphql`
  forwarder = createWebhookForwarder({
    name: 'payments',
    urls: [paymentsUrl],
    timeout: 2_000,
    log,
  })
  const mask = createMask({ service: 'gateway', log })
  const lifecycle = { ready: true, stopping: false, onStop() {} }
  app = createHttpServer({ lifecycle, health: createHealth([]), mask, bodyLimit: 1_000 })
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-request-id', 'r1'))
  await serveWebhooks(app, {
    forwarder,
    traceOf: traceRequest,
    async admit() {
      if (refusal) throw refusal
    },
  })
  url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/webhooks/payments`
})
beforeEach(() => {
  status = 204
  gate = undefined
  seen = []
  refusal = undefined
})
after(async () => {
  await app.close()
  payments.closeAllConnections()
  payments.close()
  await forwarder.close()
})

async function post(body: Buffer | string, headers: Record<string, string> = {}) {
  const answer = await request(url, { method: 'POST', body, headers })
  return { status: answer.statusCode, text: await answer.body.text() }
}

test('the bytes go on as they came, with the headers of the signature alone', async () => {
  const body = Buffer.from([0x7b, 0x00, 0xff, 0x20, 0x7d])
  const signed = { 'content-type': 'application/json', 'stripe-signature': 't=1,v1=a', 'sandbox-signature': 't=1,v1=b' }
  const others = { authorization: 'Bearer x', cookie: 'a=b', 'x-principal': 'forged', 'x-forwarded-for': '1.2.3.4' }
  assert.deepEqual(await post(body, { ...signed, ...others }), { status: 204, text: '' })
  const [webhook] = seen
  assert.equal(webhook?.url, '/webhooks/payments')
  assert.deepEqual(webhook?.body, body)
  const { host: _, connection: _c, 'content-length': _l, traceparent, ...headers } = webhook?.headers ?? {}
  assert.deepEqual(headers, { ...signed, 'x-request-id': 'r1' })
  assert.match(String(traceparent), /^00-/)
})

test('what payments answers is passed back', async () => {
  for (status of [401, 500]) assert.deepEqual(await post('{}'), { status, text: '{"errors":[]}' })
})

test('payments that do not answer in time, or are away, are told as such', async () => {
  status = undefined
  assert.equal((await post('{}')).status, 504)
  const away = createWebhookForwarder({ name: 'payments', urls: ['http://127.0.0.1:1/graphql'], timeout: 5_000, log })
  await assert.rejects(away.forward({ body: Buffer.from('{}'), headers: {} }), { code: 'SUBGRAPH_UNAVAILABLE' })
  await away.close()
})

test('more than 200 under way at once are refused, and those after them taken', async () => {
  const { promise, resolve: open } = Promise.withResolvers<void>()
  gate = promise
  const patient = createWebhookForwarder({ name: 'payments', urls: [paymentsUrl], timeout: 60_000, log })
  const webhook = { body: Buffer.from('{}'), headers: {} }
  const held = Array.from({ length: 200 }, () => patient.forward(webhook))
  await assert.rejects(patient.forward(webhook), { code: 'OVERLOADED' })
  open()
  for (const { status } of await Promise.all(held)) assert.equal(status, 204)
  assert.equal((await patient.forward(webhook)).status, 204)
  await patient.close()
})

test('a body of more than 1 MiB, and one too many, are refused before payments are asked', async () => {
  assert.equal((await post('x'.repeat(1024 * 1024 + 1))).status, 413)
  refusal = new ServiceError('RATE_LIMITED', 'Too much.', { retryAfter: 1 })
  assert.equal((await post('{}')).status, 429)
  assert.equal(seen.length, 0)
})
