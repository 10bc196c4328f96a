import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { ServiceError } from '#platform/errors.ts'
import { startSmsReceiver } from '../../../../test/infra/sms-receiver.ts'
import { waitFor } from '../../../../test/infra/wait.ts'
import { createSmsWebhook } from '../../channels/sms-webhook.ts'
import { signatureHeaders } from '../../channels/webhook-signature.ts'
import type { Channel, SmsTarget } from '../../domain/channel.ts'
import { message, noSignal } from './message.ts'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const eve = { phone: '+491700000000' }

let receiver: Awaited<ReturnType<typeof startSmsReceiver>>
let channel: Channel<SmsTarget>

const open = (changes: Partial<Parameters<typeof createSmsWebhook>[0]> = {}) =>
  createSmsWebhook({ url: receiver.url, secret, now: () => new Date(), ...changes })

before(async () => {
  receiver = await startSmsReceiver(secret)
  channel = open()
})
beforeEach(() => {
  receiver.received.length = 0
  receiver.state.answer = { status: 202 }
})
after(async () => {
  await channel.close()
  await receiver.close()
})

test('the signature is the one of the example in the standard', () => {
  const headers = signatureHeaders('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    at: new Date(1_614_265_330_000),
    body: '{"test": 2432232314}',
  })
  assert.equal(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('a message is posted signed, with its number and short text', async () => {
  const sent = message({ short: 'Grüße: 已付款' })
  assert.deepEqual(await channel.send(sent, eve, noSignal), { sent: true })
  const [request, ...others] = receiver.received
  assert.equal(others.length, 0)
  assert.deepEqual(request?.body, { id: sent.id, to: eve.phone, text: sent.short })
  assert.equal(request?.url, '/sms?account=1')
  assert.equal(request?.headers['content-type'], 'application/json')
})

test('a repeat carries the same Idempotency-Key and webhook-id', async () => {
  const sent = message()
  await channel.send(sent, eve, noSignal)
  await channel.send(sent, eve, noSignal)
  for (const name of ['idempotency-key', 'webhook-id']) {
    assert.deepEqual(
      receiver.received.map(({ headers }) => headers[name]),
      [sent.id, sent.id],
    )
  }
})

describe('what the gateway says of the message or the number for good is a refusal', () => {
  for (const status of [400, 404, 410, 422]) {
    test(`${status}`, async () => {
      receiver.state.answer = { status, body: `no such number ${eve.phone}` }
      assert.deepEqual(await channel.send(message(), eve, noSignal), { sent: false, reason: `http ${status}` })
    })
  }
})

describe('what may pass, and what is our own fault, is thrown after one attempt, in words that name no number', () => {
  for (const [status, code] of [
    [429, 'SUBGRAPH_UNAVAILABLE'],
    [500, 'SUBGRAPH_UNAVAILABLE'],
    [503, 'SUBGRAPH_UNAVAILABLE'],
    [501, undefined],
    [401, undefined],
    [403, undefined],
    [307, undefined],
  ] as const) {
    test(`${status}`, async () => {
      receiver.state.answer = { status, headers: { 'retry-after': '90', location: receiver.url }, body: eve.phone }
      await assert.rejects(channel.send(message(), eve, noSignal), (error: ServiceError) => {
        assert.equal(error.code, code)
        if (code) assert.equal(error.details.retryAfter, 90)
        assert.ok(!`${error.message} ${error.cause}`.includes(eve.phone))
        return true
      })
      assert.equal(receiver.received.length, 1)
    })
  }
  test('a connection that breaks', async () => {
    receiver.state.answer = 'drop'
    await assert.rejects(channel.send(message(), eve, noSignal), { code: 'SUBGRAPH_UNAVAILABLE' })
    assert.equal(receiver.received.length, 1)
  })
  test('a secret that the gateway does not know', async () => {
    const other = open({ secret: `whsec_${Buffer.alloc(32, 8).toString('base64')}` })
    await assert.rejects(other.send(message(), eve, noSignal), { name: 'HttpRefusal', status: 401 })
    await other.close()
  })
  test('an answer without end', async () => {
    receiver.state.answer = { status: 200, body: 'x'.repeat(1024 * 1024) }
    await assert.rejects(channel.send(message(), eve, noSignal), { message: /larger than 65536 bytes/ })
  })
})

describe('a gateway that hangs is left', () => {
  test('at the deadline', async () => {
    receiver.state.answer = 'hang'
    const own = open({ timeout: 100 })
    await assert.rejects(own.send(message(), eve, noSignal), { code: 'SUBGRAPH_TIMEOUT' })
    await own.close()
  })
  test('when the signal says so, with its reason', async () => {
    receiver.state.answer = 'hang'
    const stop = new AbortController()
    const reason = new Error('not wanted any more')
    const sending = assert.rejects(channel.send(message(), eve, stop.signal), reason)
    await waitFor('the gateway has it', () => receiver.received.length > 0)
    stop.abort(reason)
    await sending
  })
})
