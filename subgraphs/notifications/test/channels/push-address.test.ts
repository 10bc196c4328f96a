import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { createHttpClient } from '#platform/http-client.ts'
import { createPublicLookup, isPublicAddress } from '../../channels/public-addresses.ts'
import { arePushKeys, pushEndpointFault } from '../../domain/push-endpoint.ts'

describe('the URL of a subscription', () => {
  for (const endpoint of [
    'https://fcm.googleapis.com/fcm/send/abc:def',
    'https://updates.push.services.mozilla.com:443/wpush/v2/gAAA',
    'https://web.push.apple.com/QGuQ?x=1',
    `https://push.example/${'a'.repeat(2_000 - 21)}`,
  ]) {
    test(`is taken: ${endpoint.slice(0, 60)}`, () => assert.equal(pushEndpointFault(endpoint), undefined))
  }
  for (const endpoint of [
    '',
    'push.example/abc',
    'http://push.example/abc',
    'ftp://push.example/abc',
    'file:///etc/passwd',
    'https://user@push.example/abc',
    'https://user:password@push.example/abc',
    'https://push.example:8443/abc',
    'https://push.example:80/abc',
    'https://127.0.0.1/abc',
    'https://2130706433/abc',
    'https://0x7f000001/abc',
    'https://0177.0.0.1/abc',
    'https://127.1/abc',
    'https://127.0.0.1./abc',
    'https://①②⑦.⓪.⓪.①/abc',
    'https://0/abc',
    'https://[::1]/abc',
    'https://[::ffff:169.254.169.254]/abc',
    'https://8.8.8.8/abc',
    ' https://push.example/abc',
    'https://push.exam\nple/abc',
    'https://push.example\\@127.0.0.1/abc',
    `https://push.example/${'a'.repeat(2_000 - 20)}`,
  ]) {
    test(`is refused: ${JSON.stringify(endpoint.slice(0, 60))}`, () => assert.ok(pushEndpointFault(endpoint)))
  }
  test('may lead to this machine where that is allowed, by HTTPS alone', () => {
    for (const endpoint of ['https://localhost:8443/abc', 'https://127.0.0.1:8443/abc']) {
      assert.equal(pushEndpointFault(endpoint, { local: true }), undefined)
    }
    assert.ok(pushEndpointFault('http://localhost:8443/abc', { local: true }))
  })
})

test('the keys of a subscription are a point of P-256 and 16 bytes', () => {
  const p256dh = 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4'
  const auth = 'BTBZMqHH6r4Tts7J_aSIgg'
  assert.ok(arePushKeys({ p256dh, auth }))
  for (const keys of [
    { p256dh: p256dh.replace('BCV', 'BCW') },
    { p256dh: `${p256dh}=` },
    { auth: `${auth}A` },
    { auth: '' },
  ]) {
    assert.ok(!arePushKeys({ p256dh, auth, ...keys }))
  }
})

describe('an address that is not public is told from one that is', () => {
  for (const address of [
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.0.1',
    '172.32.0.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ]) {
    test(`public: ${address}`, () => assert.ok(isPublicAddress(address)))
  }
  for (const address of [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
  ]) {
    test(`not public: ${JSON.stringify(address)}`, () => assert.ok(!isPublicAddress(address)))
  }
})

describe('a connection goes to no address that is not public', () => {
  /** Calls a name, on a real connection if there is one, and tells how often the server there was reached. */
  async function call(...answers: LookupAddress[][]) {
    let reached = 0
    let asked = 0
    const server = createServer((_request, response) => void response.end()).on('connection', () => reached++)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const lookup = createPublicLookup((_name, _options, callback) => {
      asked++
      callback(null, answers.shift() ?? [])
    })
    const client = createHttpClient({ name: 'push service', url: `http://push.test:${port}`, lookup, timeout: 300 })
    const errors: { cause?: { name?: string } }[] = []
    while (answers.length > 0) {
      await client.tell({ method: 'POST', path: '/', idempotent: false }).catch((error) => errors.push(error))
    }
    await client.close()
    await new Promise((resolve) => server.close(resolve))
    return { reached, asked, causes: errors.map(({ cause }) => cause?.name) }
  }
  const own = { address: '127.0.0.1', family: 4 }

  test('where a name leads to one', async () => {
    assert.deepEqual(await call([own]), { reached: 0, asked: 1, causes: ['ForbiddenAddress'] })
  })
  test('where it leads to a public one besides', async () => {
    const both = [{ address: '2606:4700::1111', family: 6 }, own]
    assert.deepEqual(await call(both), { reached: 0, asked: 1, causes: ['ForbiddenAddress'] })
  })
  test('and each connection resolves its name once, so that no other answer comes in between', async () => {
    // No address stands for a public one, which no test connects to.
    const { reached, asked, causes } = await call([], [own])
    assert.deepEqual({ reached, asked, last: causes.at(-1) }, { reached: 0, asked: 2, last: 'ForbiddenAddress' })
  })
})
