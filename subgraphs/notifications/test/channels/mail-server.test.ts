import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { ServiceError } from '#platform/errors.ts'
import { selfSigned } from '../../../../test/infra/certificate.ts'
import {
  type SmtpFault,
  type SmtpStage,
  type SmtpTestServer,
  startSmtpServer,
} from '../../../../test/infra/smtp-server.ts'
import { waitFor } from '../../../../test/infra/wait.ts'
import { createMailServer, type MailServerOptions } from '../../channels/mail-server.ts'
import type { Channel, EmailTarget } from '../../domain/channel.ts'
import { message, noSignal } from './message.ts'

const certificate = selfSigned('localhost')
const account = { user: 'shop@shop.example', password: 'p@ss/w:rd' }
const eve = { name: 'Eve', email: 'eve@example.com' }
const login = `${encodeURIComponent(account.user)}:${encodeURIComponent(account.password)}@`

let server: SmtpTestServer
let channel: Channel<EmailTarget>

const open = (changes: Partial<MailServerOptions> = {}) =>
  createMailServer({
    url: `smtp://${login}localhost:${server.port}`,
    from: 'Shop <shop@shop.example>',
    requireTls: true,
    ca: certificate.cert,
    ...changes,
  })

before(async () => {
  server = await startSmtpServer({ certificate, account })
  channel = open()
})
beforeEach(() => {
  server.mails.length = 0
  for (const stage of Object.keys(server.faults)) delete server.faults[stage as SmtpStage]
})
after(async () => {
  await channel.close()
  await server.close()
})

/** Sends over a channel of its own. */
async function sendBy(changes: Partial<MailServerOptions>, target = eve) {
  const own = open(changes)
  try {
    return await own.send(message(), target, noSignal)
  } finally {
    await own.close()
  }
}

test('a mail is text and the same in HTML, by TLS, signed in, from the shop to one person', async () => {
  const sent = message()
  assert.deepEqual(await channel.send(sent, { name: 'Zoë Müller', email: eve.email }, noSignal), { sent: true })
  const [mail, ...others] = server.mails
  assert.ok(mail && others.length === 0)
  assert.deepEqual([mail.from, mail.to, mail.secure, mail.user], [account.user, [eve.email], true, account.user])
  const { parsed } = mail
  assert.equal(parsed.subject, sent.title)
  assert.equal(parsed.text?.trim(), sent.body)
  assert.equal(String(parsed.html).trim(), sent.html)
  assert.match(String(parsed.headers.get('content-type') && mail.raw), /^Content-Type: multipart\/alternative;/m)
  assert.equal(parsed.messageId, `<${sent.id}@shop.example>`)
  assert.deepEqual(parsed.date, sent.createdAt)
  assert.equal(parsed.headers.get('auto-submitted'), 'auto-generated')
  assert.deepEqual(parsed.to && 'value' in parsed.to && parsed.to.value, [{ name: 'Zoë Müller', address: eve.email }])
})

test('a repeat carries the same Message-ID and date', async () => {
  const sent = message()
  await channel.send(sent, eve, noSignal)
  await channel.send(sent, eve, noSignal)
  const [first, second] = server.mails
  assert.equal(first?.parsed.messageId, second?.parsed.messageId)
  assert.deepEqual(first?.parsed.date, second?.parsed.date)
})

test('connections are kept for the next mails, and are as many as allowed', async () => {
  const own = open({ connections: 2 })
  const before = server.connections()
  await Promise.all(Array.from({ length: 10 }, () => own.send(message(), eve, noSignal)))
  await own.send(message(), eve, noSignal)
  assert.equal(server.mails.length, 11)
  assert.ok(server.connections() - before <= 2)
  await own.close()
})

test('a connection that the server ended while nothing was sent is made anew', async () => {
  await channel.send(message(), eve, noSignal)
  server.dropAll()
  assert.deepEqual(await channel.send(message(), eve, noSignal), { sent: true })
})

describe('headers and receivers cannot be smuggled in', () => {
  const headersOf = (raw: string) =>
    [...(raw.split('\r\n\r\n')[0] ?? '').matchAll(/^([\w-]+):/gm)].map(([, name]) => name)
  test('by names and titles', async () => {
    const smuggling = 'Hello\r\nBcc: all@example.com\nX-Evil: 1\r\n\r\nbody'
    const target = { name: `Eve" <all@example.com>,\r\nBcc: all@example.com`, email: eve.email }
    await channel.send(message({ title: smuggling }), target, noSignal)
    const [mail] = server.mails
    assert.deepEqual(mail?.to, [eve.email])
    for (const name of ['Bcc', 'X-Evil']) assert.ok(!headersOf(mail?.raw ?? '').includes(name), mail?.raw)
  })
  for (const email of ['eve,all@example.com', 'eve@example.com>,<all', 'a:b;c@example.com']) {
    test(`by the address ${email}`, async () => {
      const outcome = await channel.send(message(), { name: 'Eve', email }, noSignal)
      for (const { to } of server.mails) assert.equal(to.length, 1)
      assert.equal(outcome.sent, server.mails.length === 1)
    })
  }
})

test('an address that is not ASCII is written to as it is, by SMTPUTF8', async () => {
  await channel.send(message(), { name: '王', email: '用户@例子.example' }, noSignal)
  assert.deepEqual(server.mails[0]?.to, ['用户@例子.example'])
})

describe('what the server says of the receiver or the mail for good is a refusal', () => {
  const refusals: [SmtpStage, SmtpFault, string][] = [
    ['receiver', '550 5.1.1 No such user eve@example.com', 'smtp 550'],
    ['receiver', '550 No such user', 'smtp 550'],
    ['receiver', '552 5.2.2 Mailbox full', 'smtp 552'],
    ['receiver', '553 5.1.3 Bad address', 'smtp 553'],
    ['receiver', '556 5.1.10 Domain takes no mail', 'smtp 556'],
    ['mail', '550 5.7.1 Looks like spam', 'smtp 550'],
    ['mail', '554 5.6.0 Refused', 'smtp 554'],
  ]
  for (const [stage, fault, reason] of refusals) {
    test(`${fault}, at the ${stage}`, async () => {
      server.faults[stage] = fault
      assert.deepEqual(await channel.send(message(), eve, noSignal), { sent: false, reason })
      delete server.faults[stage]
      assert.deepEqual(await channel.send(message(), eve, noSignal), { sent: true }, 'the next one goes out')
    })
  }
  test('an address that is none', async () => {
    assert.deepEqual(await channel.send(message(), { name: 'Eve', email: '' }, noSignal), {
      sent: false,
      reason: 'address',
    })
  })
})

describe('what may pass, and what is our own fault, is thrown, in words that name no person', () => {
  const failures: [SmtpStage, SmtpFault, RegExp][] = [
    ['connect', '421 4.3.2 Later', /421/],
    ['connect', '554 5.7.1 Your address is on a list', /554/],
    ['connect', 'drop', /broke off/],
    ['auth', '454 4.7.0 Later', /454/],
    ['auth', '535 5.7.8 Wrong', /535/],
    ['sender', '451 4.7.1 Later', /451/],
    ['sender', '550 5.7.1 You are not this sender', /550/],
    ['sender', '530 5.7.0 Sign in first', /530/],
    ['receiver', '450 4.2.1 eve@example.com: later', /450/],
    ['receiver', '421 4.3.2 Going down', /421/],
    ['receiver', '503 5.5.1 Bad sequence', /503/],
    ['receiver', '530 5.7.0 Sign in first', /530/],
    ['receiver', '554 5.7.1 eve@example.com: relay access denied', /554/],
    ['receiver', 'drop', /broke off/],
    ['mail', '451 4.3.0 eve@example.com: later', /451/],
    ['mail', '452 4.3.1 Disk full', /452/],
    ['mail', 'drop', /broke off/],
  ]
  for (const [stage, fault, words] of failures) {
    test(`${fault}, at the ${stage}`, async () => {
      server.faults[stage] = fault
      await assert.rejects(sendBy({}), (error: ServiceError) => {
        assert.equal(error.code, 'SUBGRAPH_UNAVAILABLE')
        assert.match(error.message, words)
        assert.ok(!JSON.stringify([error.message, error.cause, error.details]).includes(eve.email))
        return true
      })
      assert.equal(server.mails.length, 0)
    })
  }
  test('a wrong password', () =>
    assert.rejects(sendBy({ url: `smtp://shop:wrong@localhost:${server.port}` }), { message: /to AUTH \w+ with 535/ }))
  test('a server that nothing listens for', () =>
    assert.rejects(sendBy({ url: 'smtp://localhost:1' }), {
      code: 'SUBGRAPH_UNAVAILABLE',
      message: /could not be reached/,
    }))
  test('a certificate that nobody vouches for', () =>
    assert.rejects(sendBy({ ca: selfSigned('localhost').cert }), { code: 'SUBGRAPH_UNAVAILABLE' }))
})

describe('a server that hangs is left', () => {
  for (const stage of ['connect', 'auth', 'sender', 'receiver', 'mail'] as const) {
    test(`at the deadline, while it hangs at the ${stage}`, async () => {
      const before = server.connected()
      server.faults[stage] = 'hang'
      await assert.rejects(sendBy({ timeout: 200 }), { code: 'SUBGRAPH_TIMEOUT' })
      await waitFor('its connection is closed', () => server.connected() <= before)
    })
  }
  // Sooner than any silence would end it.
  test('when the signal says so, with its reason, and its connection is not used again', {
    timeout: 5_000,
  }, async () => {
    const own = open({ connections: 1 })
    const stop = new AbortController()
    server.faults.receiver = 'hang'
    const reason = new Error('not wanted any more')
    const sending = assert.rejects(own.send(message(), eve, stop.signal), reason)
    await waitFor('the server has it', () => server.connected() > 0)
    stop.abort(reason)
    await sending
    delete server.faults.receiver
    assert.deepEqual(await own.send(message(), eve, noSignal), { sent: true })
    await own.close()
  })
  test('and those that wait for its connection are too', async () => {
    const own = open({ connections: 1, timeout: 300 })
    server.faults.mail = 'hang'
    const all = await Promise.allSettled([1, 2, 3].map(() => own.send(message(), eve, noSignal)))
    assert.deepEqual(
      all.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    )
    await own.close()
  })
})

describe('TLS', () => {
  test('from the start, by smtps://', async () => {
    const secure = await startSmtpServer({ certificate, secure: true })
    assert.deepEqual(await sendBy({ url: `smtps://localhost:${secure.port}` }), { sent: true })
    assert.equal(secure.mails[0]?.secure, true)
    await secure.close()
  })
  test('is required unless the URL says otherwise', async () => {
    const plain = await startSmtpServer()
    const url = `smtp://localhost:${plain.port}`
    await assert.rejects(sendBy({ url }), { code: 'SUBGRAPH_UNAVAILABLE' })
    assert.equal(plain.mails.length, 0)
    assert.deepEqual(await sendBy({ url: `${url}?tls=off` }), { sent: true })
    assert.deepEqual(await sendBy({ url, requireTls: false }), { sent: true })
    await plain.close()
  })
})
