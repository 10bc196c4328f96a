import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import webPush from 'web-push'
import type { ServiceError } from '#platform/errors.ts'
import { startPushService } from '../../../../test/infra/push-endpoint.ts'
import { waitFor } from '../../../../test/infra/wait.ts'
import { createWebPush, type WebPushOptions } from '../../channels/web-push.ts'
import type { Channel, PushTarget } from '../../domain/channel.ts'
import { pushTargetFault as faultOf } from '../../domain/push-endpoint.ts'
import { message, noSignal } from './message.ts'

const vapid = { ...webPush.generateVAPIDKeys(), subject: 'mailto:shop@shop.example' }

let service: Awaited<ReturnType<typeof startPushService>>
let channel: Channel<PushTarget>

const open = (changes: Partial<WebPushOptions> = {}) =>
  createWebPush({ faultOf, vapid, allowPrivate: true, ca: service.ca, ...changes })

before(async () => {
  service = await startPushService(vapid.publicKey)
  channel = open()
})
beforeEach(() => {
  service.received.length = 0
  service.state.answer = 201
})
after(async () => {
  await channel.close()
  await service.close()
})

test('a push service verifies who sends, and the browser reads the payload back', async () => {
  const sent = message({ title: '订单已付款', short: 'Grüße' })
  assert.deepEqual(await channel.send(sent, service.subscription, noSignal), { sent: true })
  const [push, ...others] = service.received
  assert.ok(push && others.length === 0)
  assert.deepEqual(push.payload, { id: sent.id, title: sent.title, body: sent.short })
  assert.deepEqual([push.path, push.httpVersion], ['/push/abc?token=1', '2.0'])
  assert.equal(push.claims.sub, vapid.subject)
  const { ttl, 'content-encoding': encoding, 'content-type': type } = push.headers
  assert.deepEqual([ttl, encoding, type], ['86400', 'aes128gcm', 'application/octet-stream'])
  assert.ok(!push.body.includes(sent.short), 'nobody else reads it')
})

test('a repeat carries the same Topic, within what RFC 8030 allows, and another message another one', async () => {
  const sent = message()
  for (const each of [sent, sent, message()]) await channel.send(each, service.subscription, noSignal)
  const [first = '', second, third] = service.received.map(({ headers }) => String(headers.topic))
  assert.equal(first, second)
  assert.notEqual(first, third)
  assert.match(first, /^[\w-]{1,32}$/)
})

describe('a payload is within what a push service takes, whatever the text', () => {
  for (const [what, text] of Object.entries({
    'Latin letters': 'a'.repeat(10_000),
    'Chinese letters': '付'.repeat(10_000),
    'emoji, each in one piece': '👩'.repeat(10_000),
    'characters that JSON escapes': '\u0001"\\'.repeat(5_000),
    'halves of characters': '\ud800'.repeat(5_000),
  })) {
    test(what, async () => {
      const sent = message({ title: text, short: text })
      assert.deepEqual(await channel.send(sent, service.subscription, noSignal), { sent: true })
      const { body, payload } = service.received[0] ?? { body: Buffer.alloc(0), payload: {} }
      assert.ok(body.length <= 4_096 && body.length > 4_080, `${body.length} bytes`)
      const { title = '', body: shown = '' } = payload as { title?: string; body?: string }
      for (const cut of [title, shown]) assert.ok(cut.endsWith('…') && text.startsWith(cut.slice(0, -1)))
      if (text.isWellFormed()) assert.ok(shown.isWellFormed())
    })
  }
})

describe('what a push service says for good is a refusal', () => {
  for (const [answer, outcome] of [
    [404, { sent: false, reason: 'http 404', gone: true }],
    [410, { sent: false, reason: 'http 410', gone: true }],
    [400, { sent: false, reason: 'http 400' }],
    [413, { sent: false, reason: 'http 413' }],
  ] as const) {
    test(`${answer}${'gone' in outcome ? ', after which the subscription is gone' : ''}`, async () => {
      service.state.answer = answer
      assert.deepEqual(await channel.send(message(), service.subscription, noSignal), outcome)
    })
  }
  for (const status of [301, 302, 303, 307, 308]) {
    test(`${status}, which is not followed`, async () => {
      service.state.answer = { status, headers: { location: service.subscription.endpoint } }
      assert.deepEqual(await channel.send(message(), service.subscription, noSignal), {
        sent: false,
        reason: `http ${status}`,
      })
      assert.equal(service.received.length, 1)
    })
  }
  for (const [what, keys] of Object.entries({
    'a key that is no point': { p256dh: `B${'A'.repeat(86)}` },
    'a key that is too short': { p256dh: 'BAAA' },
    'a secret that is too short': { auth: 'AAAA' },
  })) {
    test(what, async () => {
      const outcome = await channel.send(message(), { ...service.subscription, ...keys }, noSignal)
      assert.deepEqual(outcome, { sent: false, reason: 'push keys' })
    })
  }
})

describe('what may pass, and what is our own fault, is thrown after one attempt', () => {
  for (const status of [429, 500, 503]) {
    test(`${status}, with the seconds to wait`, async () => {
      service.state.answer = { status, headers: { 'retry-after': '90' } }
      await assert.rejects(channel.send(message(), service.subscription, noSignal), (error: ServiceError) => {
        assert.equal(error.code, 'SUBGRAPH_UNAVAILABLE')
        assert.equal(error.details.retryAfter, 90)
        assert.ok(!`${error.message} ${error.cause}`.includes('/push/'), 'the endpoint is a secret of the browser')
        return true
      })
      assert.equal(service.received.length, 1)
    })
  }
  test('a token that is not believed', async () => {
    const other = open({ vapid: { ...vapid, ...webPush.generateVAPIDKeys() } })
    await assert.rejects(other.send(message(), service.subscription, noSignal), { name: 'HttpRefusal', status: 403 })
    await other.close()
  })
  test('a certificate that nobody vouches for', async () => {
    const { ca: _, ...options } = { faultOf, vapid, allowPrivate: true, ca: service.ca }
    const other = createWebPush(options)
    await assert.rejects(other.send(message(), service.subscription, noSignal), { code: 'SUBGRAPH_UNAVAILABLE' })
    await other.close()
  })
  test('an answer without end', async () => {
    service.state.answer = 'flood'
    await assert.rejects(channel.send(message(), service.subscription, noSignal), { message: /larger than/ })
  })
})

describe('a push service that hangs is left', () => {
  test('at the deadline', async () => {
    service.state.answer = 'hang'
    const own = open({ timeout: 200 })
    await assert.rejects(own.send(message(), service.subscription, noSignal), { code: 'SUBGRAPH_TIMEOUT' })
    await own.close()
  })
  test('when the signal says so, with its reason', async () => {
    service.state.answer = 'hang'
    const stop = new AbortController()
    const reason = new Error('not wanted any more')
    const sending = assert.rejects(channel.send(message(), service.subscription, stop.signal), reason)
    await waitFor('the service has it', () => service.received.length > 0)
    stop.abort(reason)
    await sending
  })
})

describe('a subscription that leads into our own network is refused, and nothing is connected to', () => {
  const guarded = (endpoint: string) => {
    const own = createWebPush({ faultOf, vapid, ca: service.ca })
    return own.send(message(), { ...service.subscription, endpoint }, noSignal).finally(own.close)
  }
  for (const [what, endpoint] of Object.entries({
    'by its port': 'https://localhost:8443/push',
    'by an address': 'https://127.0.0.1/push',
    'by plain HTTP': 'http://push.example/push',
  })) {
    test(what, async () => assert.deepEqual(await guarded(endpoint), { sent: false, reason: 'push endpoint' }))
  }
  test('by what its name leads to, like a name that leads nowhere', async () => {
    for (const name of ['localhost', 'nowhere.invalid']) {
      await assert.rejects(guarded(`https://${name}/push`), { code: 'SUBGRAPH_UNAVAILABLE' })
    }
  })
})

test('keys that are no pair stop the start', () => {
  const { publicKey } = webPush.generateVAPIDKeys()
  assert.throws(() => createWebPush({ faultOf, vapid: { ...vapid, publicKey } }), /VAPID_PUBLIC_KEY/)
})
