import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { createHttpClient } from '#platform/http-client.ts'
import { waitFor } from '../../../../test/infra/wait.ts'
import { createNameResolver, createPublicLookup, isPublicAddress } from '../../channels/public-addresses.ts'
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
    const lookup = createPublicLookup(async () => {
      asked++
      return answers.shift() ?? []
    })
    const client = createHttpClient({ name: 'push service', url: `http://push.test:${port}`, lookup, timeout: 5_000 })
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

describe('names are resolved by name servers', () => {
  /** A name server on this machine: one address of each family for every name, but for those of which it says nothing. */
  async function withNameServer(use: (server: string, asked: string[]) => Promise<void>) {
    const asked: string[] = []
    const socket = createSocket('udp4')
    socket.on('message', (query, { port }) => {
      const name = query.subarray(13, 12 + 1 + (query[12] ?? 0)).toString()
      const type = query.readUInt16BE(query.indexOf(0, 12) + 1)
      asked.push(name)
      if (name !== 'silent') socket.send(answerTo(query, type), port)
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    try {
      await use(`127.0.0.1:${socket.address().port}`, asked)
    } finally {
      await new Promise<void>((resolve) => socket.close(resolve))
    }
  }

  /** https://www.rfc-editor.org/rfc/rfc1035#section-4 */
  function answerTo(query: Buffer, type: number): Buffer {
    const question = query.subarray(12, query.indexOf(0, 12) + 5)
    const data = Buffer.from(type === 1 ? [127, 0, 0, 1] : [...Array(15).fill(0), 1])
    const header = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
    return Buffer.concat([header, question, Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data])
  }

  test('for both families', () =>
    withNameServer(async (server) => {
      assert.deepEqual(await createNameResolver({ servers: [server] })('push.example'), [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ])
    }))

  test('and those that say nothing hold up no other name', () =>
    withNameServer(async (server, asked) => {
      const resolve = createNameResolver({ servers: [server], timeout: 3_000 })
      let ended = 0
      const silent = Array.from({ length: 20 }, (_, n) => resolve(`silent.example${n}`).catch(() => ended++))
      await waitFor('all to be asked for', () => asked.length >= 40)
      assert.equal((await resolve('push.example')).length, 2)
      assert.ok((await lookup('localhost')).address, 'as the machine does, too')
      assert.equal(ended, 0)
      await Promise.all(silent)
      assert.equal(ended, 20)
    }))
})
