import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { simpleParser } from 'mailparser'
import webPush from 'web-push'
import { processSettings, readEnv } from '#platform/env.ts'
import { startSmtpServer } from '../../../../test/infra/smtp-server.ts'
import { waitFor } from '../../../../test/infra/wait.ts'
import { createChannels, createMail } from '../../channels/channels.ts'
import { channelRule, channelSettings } from '../../config.ts'
import { pushTargetFault } from '../../domain/push-endpoint.ts'
import { message, noSignal } from './message.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'channels-'))
})
after(() => rm(folder, { recursive: true }))

const { publicKey, privateKey } = webPush.generateVAPIDKeys()
const real = {
  SMTP_URL: 'smtps://user:p%40ss@mail.shop.example:465',
  SMS_WEBHOOK_URL: 'https://sms.example/send',
  SMS_WEBHOOK_SECRET: `whsec_${Buffer.alloc(24).toString('base64')}`,
  VAPID_PUBLIC_KEY: publicKey,
  VAPID_PRIVATE_KEY: privateKey,
  VAPID_SUBJECT: 'mailto:shop@shop.example',
}

/** The settings by the rules. Throws ConfigError. */
const read = (source: Record<string, string>) =>
  readEnv({ ...processSettings, ...channelSettings }, [channelRule], source)

const dependencies = { now: () => new Date(), pushTargetFault }
const eve = { name: 'Eve', email: 'eve@example.com' }
const subscription = { endpoint: 'https://push.example/abc', p256dh: '', auth: '' }

test('without real parts each channel is a folder: a file for each message, whole, for its owner alone, and one for a repeat', async () => {
  const folders = { MAIL_DIR: join(folder, 'mail'), SMS_DIR: join(folder, 'sms'), PUSH_DIR: join(folder, 'push') }
  const { EMAIL, SMS, PUSH } = createChannels(read(folders), dependencies)
  const sent = message()
  for (const _ of ['first', 'repeat']) {
    assert.deepEqual(await EMAIL.send(sent, eve, noSignal), { sent: true })
    assert.deepEqual(await SMS?.send(sent, { phone: '+491700000000' }, noSignal), { sent: true })
    assert.deepEqual(await PUSH?.send(sent, subscription, noSignal), { sent: true })
  }
  const files = await Promise.all(
    Object.values(folders).map(async (path) => {
      assert.equal((await stat(path)).mode & 0o777, 0o700)
      const [name = '', ...others] = await readdir(path)
      assert.deepEqual(others, [])
      assert.equal((await stat(join(path, name))).mode & 0o777, 0o600)
      return { name, content: await readFile(join(path, name), 'utf8') }
    }),
  )
  const [mail, sms, push] = files
  const parsed = await simpleParser(mail?.content ?? '')
  assert.equal(mail?.name, `${sent.id}.eml`)
  assert.equal(parsed.messageId, `<${sent.id}@localhost>`)
  assert.deepEqual([parsed.text?.trim(), String(parsed.html).trim()], [sent.body, sent.html])
  assert.equal(sms?.name, `${sent.id}.json`)
  assert.deepEqual(JSON.parse(sms?.content ?? ''), { id: sent.id, to: '+491700000000', text: sent.short })
  assert.match(push?.name ?? '', new RegExp(`^${sent.id}-[0-9a-f]{8}\\.json$`))
  assert.deepEqual(JSON.parse(push?.content ?? ''), {
    endpoint: subscription.endpoint,
    payload: { id: sent.id, title: sent.title, body: sent.short },
  })
})

test('mail in a folder: headers cannot be smuggled in', async () => {
  const path = join(folder, 'smuggled')
  const { EMAIL } = createChannels(read({ MAIL_DIR: path }), dependencies)
  const sent = message({ title: 'Hello\r\nBcc: all@example.com' })
  await EMAIL.send(sent, { name: 'Eve\r\nX-Evil: 1', email: eve.email }, noSignal)
  const { headers } = await simpleParser(await readFile(join(path, `${sent.id}.eml`)))
  for (const smuggled of ['bcc', 'x-evil']) assert.ok(!headers.has(smuggled))
})

test('a channel that nothing is set for is not there', () => {
  assert.deepEqual(Object.keys(createChannels(read({ MAIL_DIR: folder }), dependencies)), ['EMAIL'])
})

test('the real part goes before the folder', async () => {
  const untouched = join(folder, 'untouched')
  const folders = { MAIL_DIR: untouched, SMS_DIR: untouched, PUSH_DIR: untouched }
  const closed = { SMTP_URL: 'smtp://127.0.0.1:1', SMS_WEBHOOK_URL: 'http://127.0.0.1:1/' }
  const { EMAIL, SMS, PUSH } = createChannels(read({ ...real, ...folders, ...closed }), dependencies)
  await assert.rejects(EMAIL.send(message(), eve, noSignal), { code: 'SUBGRAPH_UNAVAILABLE' })
  await assert.rejects(async () => SMS?.send(message(), { phone: '+491700000000' }, noSignal), {
    code: 'SUBGRAPH_UNAVAILABLE',
  })
  assert.deepEqual(await PUSH?.send(message(), subscription, noSignal), { sent: false, reason: 'push keys' })
  assert.ok(!(await readdir(folder)).includes('untouched'))
  for (const channel of [EMAIL, SMS, PUSH]) await channel?.close()
})

test('a code waits behind no notification', async () => {
  const server = await startSmtpServer()
  const settings = read({ SMTP_URL: `smtp://127.0.0.1:${server.port}` })
  const { EMAIL } = createChannels(settings, dependencies)
  const codeMail = createMail(settings)
  const leaving = new AbortController()
  try {
    server.faults.connect = 'hang'
    const waiting = Array.from({ length: 20 }, () => EMAIL.send(message(), eve, leaving.signal))
    const ended = Promise.allSettled(waiting)
    await waitFor('every connection to be in use', () => server.connections() === 5)
    delete server.faults.connect
    assert.deepEqual(await codeMail.send(message({ title: 'code' }), eve, noSignal), { sent: true })
    leaving.abort()
    await ended
    assert.ok(server.mails.some(({ parsed }) => parsed.subject === 'code'))
  } finally {
    for (const channel of [EMAIL, codeMail]) await channel.close()
    await server.close()
  }
})

describe('the settings are', () => {
  const production = { NODE_ENV: 'production' }
  const taken = {
    'all real parts in production': { ...production, ...real },
    'e-mail alone in production': { ...production, SMTP_URL: real.SMTP_URL },
    'a mail server without TLS, if the URL says so': { ...production, SMTP_URL: 'smtp://mail.internal:25?tls=off' },
    'a folder for mail in development': { MAIL_DIR: '/mail' },
  }
  for (const [what, source] of Object.entries(taken)) test(`taken: ${what}`, () => assert.ok(read(source)))

  const refused: Record<string, [Record<string, string>, RegExp]> = {
    'no e-mail in production': [production, /SMTP_URL: is not set/],
    'no e-mail in development': [{}, /MAIL_DIR: is not set, and neither is SMTP_URL/],
    'a folder for mail in production': [{ ...production, ...real, MAIL_DIR: '/mail' }, /MAIL_DIR: is for development/],
    'a folder for SMS in production': [{ ...production, ...real, SMS_DIR: '/sms' }, /SMS_DIR: is for development/],
    'a folder for push in production': [{ ...production, ...real, PUSH_DIR: '/push' }, /PUSH_DIR: is for development/],
    'push to private addresses in production': [
      { ...production, ...real, PUSH_ALLOW_PRIVATE: 'true' },
      /PUSH_ALLOW_PRIVATE: is for development/,
    ],
    'SMS in plain HTTP in production': [
      { ...production, ...real, SMS_WEBHOOK_URL: 'http://sms.example' },
      /SMS_WEBHOOK_URL: must be https/,
    ],
    'a webhook without a secret': [{ ...real, SMS_WEBHOOK_SECRET: '' }, /SMS_WEBHOOK_SECRET: is not set/],
    'a secret without a webhook': [{ ...real, SMS_WEBHOOK_URL: '' }, /SMS_WEBHOOK_URL: is not set/],
    'a secret that is too short': [{ ...real, SMS_WEBHOOK_SECRET: 'whsec_AAAA' }, /SMS_WEBHOOK_SECRET: must be/],
    'VAPID keys without a subject': [{ ...real, VAPID_SUBJECT: '' }, /VAPID_SUBJECT: is not set/],
    'half of the VAPID keys': [{ ...real, VAPID_PRIVATE_KEY: '' }, /VAPID_PRIVATE_KEY: is not set/],
    'a subject that nobody can be reached at': [{ ...real, VAPID_SUBJECT: 'http://shop' }, /VAPID_SUBJECT: must be/],
    'a mail server by HTTP': [{ ...real, SMTP_URL: 'http://mail' }, /SMTP_URL: must be/],
    'a password with a bare % in it': [{ ...real, SMTP_URL: 'smtp://user:50%off@mail' }, /SMTP_URL: must be/],
    'a misspelt option of a mail server': [{ ...real, SMTP_URL: 'smtp://mail?tls=of' }, /SMTP_URL: must be/],
  }
  for (const [what, [source, fault]] of Object.entries(refused)) {
    test(`refused: ${what}`, () => assert.throws(() => read(source), fault))
  }
})
