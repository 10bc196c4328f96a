import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { simpleParser } from 'mailparser'
import pg from 'pg'
import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import { openDatabase } from '#platform/database/open.ts'
import { createPeer } from '#platform/grpc/client.ts'
import { createGrpcServer } from '#platform/grpc/server.ts'
import { loadService } from '#platform/grpc/service.ts'
import type { Log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import { createPrincipalVerifier, createServiceTokens, createServiceTokenVerifier } from '#platform/principal.ts'
import { testKeys } from '../../../platform/test/keys.ts'
import { createTestDatabase } from '../../../test/infra/parts.ts'
import { createMailFolder } from '../channels/mail-folder.ts'
import type { Channel, EmailTarget } from '../domain/channel.ts'
import { createRpcHandlers } from '../grpc.ts'
import { createNotificationsService } from '../service.ts'
import { createNotificationsStore, type NotificationsStore } from '../store.ts'
import * as templates from '../templates/templates.ts'

/** SendCode over gRPC, on a real database and a real mail folder. */

const { privateKeys, keys } = await testKeys('users', 'orders')
const definition = loadService<NotificationServiceDefinition>('notifications.v1.NotificationService')
const code = 'K7QX3M9T'
const request = {
  userId: randomUUID(),
  email: 'eve@example.com',
  name: 'Eve',
  locale: 'en',
  purpose: 'RESET_PASSWORD',
  code,
  lifetime: 900,
} as const

let database: ReturnType<typeof openDatabase>
let store: NotificationsStore
let client: pg.Client
let folder: string
let address: string
let server: ReturnType<typeof createGrpcServer>
let channel: Channel<EmailTarget>
const logged: string[] = []
const write = (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`)
const log: Log = { debug: write, info: write, warn: write, error: write }

before(async () => {
  const url = await createTestDatabase('notifications')
  database = openDatabase({ name: 'test', url, poolSize: 2, log })
  store = createNotificationsStore(database.adapter)
  client = new pg.Client({ connectionString: url })
  await client.connect()
  const service = createNotificationsService({
    traces: { here: () => undefined, resume: (_delivery, attempt) => attempt(() => {}) },
    store,
    channels: { EMAIL: { send: () => Promise.reject(new Error('This is for notifications.')), async close() {} } },
    codeMail: { send: (...args) => channel.send(...args), async close() {} },
    templates,
    pushPublicKey: undefined,
    allowsLocalPush: false,
    now: () => new Date(),
    newId: randomUUID,
    onDue() {},
    onOutcome() {},
    onFailedAttempt() {},
    onUnsentCode: (about, reason) => log.warn('code not sent', { ...about, reason }),
  })
  server = createGrpcServer({
    verifyCaller: createServiceTokenVerifier({ keys, audience: 'notifications' }),
    verifyPrincipal: createPrincipalVerifier({ keys }),
    mask: createMask({ service: 'notifications', log }),
  })
  server.add(definition, createRpcHandlers(service))
  address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
})
beforeEach(async () => {
  logged.length = 0
  folder = await mkdtemp(join(tmpdir(), 'codes-'))
  channel = createMailFolder({ folder, from: 'Shop <shop@shop.example>' })
})
afterEach(() => rm(folder, { recursive: true }))
after(async () => {
  await server.close()
  await client.end()
  await store.close()
  await database.close()
})

async function sendCode(changes: object = {}, caller: keyof typeof privateKeys = 'users') {
  const serviceToken = createServiceTokens({ key: privateKeys[caller] })
  const peer = createPeer({ name: 'notifications', service: definition, addresses: [address], serviceToken })
  try {
    return await peer.rpcs.sendCode({ ...request, ...changes }, { limit: 12_000 })
  } finally {
    peer.close()
  }
}

/** Every row of every table, as text. */
async function wholeDatabase(): Promise<string> {
  const { rows: tables } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
  assert.ok(tables.length >= 4)
  const texts: string[] = []
  for (const { tablename } of tables) {
    const { rows } = await client.query(`SELECT t::text FROM "${tablename}" t`)
    texts.push(...rows.map(({ t }) => t))
  }
  return texts.join('\n')
}

test('a code is mailed before the answer, and is in the mail and nowhere else', async () => {
  await sendCode()
  const [file = '', ...others] = await readdir(folder)
  assert.deepEqual(others, [])
  const { to, subject, text = '', html } = await simpleParser(await readFile(join(folder, file)))
  assert.ok(to && !Array.isArray(to))
  assert.equal(to.text, '"Eve" <eve@example.com>')
  assert.equal(subject, 'Your code for a new password')
  assert.match(text, new RegExp(`^${code}$`, 'm'))
  assert.match(text, /15 minutes/)
  assert.ok(typeof html === 'string' && html.includes(code))
  const kept = await wholeDatabase()
  for (const secret of [code, request.email, request.userId]) assert.ok(!kept.includes(secret))
  assert.deepEqual(logged, [])
})

test('a code that could not be mailed is SUBGRAPH_UNAVAILABLE, and neither the error nor the log holds it', async () => {
  channel = {
    async send({ body }, { email }) {
      throw Object.assign(new Error(`450 cannot take for ${email}: ${body}`), { code: 'EENVELOPE' })
    },
    async close() {},
  }
  await assert.rejects(sendCode(), (error: Error & { code: string; details: object }) => {
    assert.equal(error.code, 'SUBGRAPH_UNAVAILABLE')
    assert.deepEqual(error.details, { subgraph: 'notifications', retryAfter: 1 })
    assert.equal(error.message, 'The mail could not be handed over.')
    return true
  })
  assert.deepEqual(logged, [
    `code not sent {"userId":"${request.userId}","purpose":"RESET_PASSWORD","reason":"EENVELOPE"}`,
  ])
  assert.ok(!(await wholeDatabase()).includes(code))
  channel = createMailFolder({ folder, from: 'Shop <shop@shop.example>' })
  await sendCode()
  assert.equal((await readdir(folder)).length, 1, 'the caller tries again')
})

test('a code whose address the mail server refuses is SUBGRAPH_UNAVAILABLE too', async () => {
  channel = { send: async () => ({ sent: false, reason: 'smtp 550' }), async close() {} }
  await assert.rejects(sendCode(), { code: 'SUBGRAPH_UNAVAILABLE' })
  assert.match(logged.join(), /"reason":"smtp 550"/)
})

test("a code comes in the person's language", async () => {
  await sendCode({ locale: 'zh-CN' })
  const [file = ''] = await readdir(folder)
  assert.match((await simpleParser(await readFile(join(folder, file)))).subject ?? '', /\p{Script=Han}/u)
})

test('no code, no address or an unknown purpose is BAD_USER_INPUT, and nothing is mailed', async () => {
  for (const [field, value] of [
    ['code', ''],
    ['email', ''],
    ['purpose', 'PURPOSE_UNSPECIFIED'],
    ['purpose', 7],
  ] as const) {
    await assert.rejects(sendCode({ [field]: value }), { code: 'BAD_USER_INPUT', details: { field } })
  }
  assert.deepEqual(await readdir(folder), [])
  assert.deepEqual(logged, [])
})

test('only users may have a code mailed', async () => {
  await assert.rejects(sendCode({}, 'orders'), { code: 'SUBGRAPH_UNAVAILABLE' })
  assert.deepEqual(await readdir(folder), [])
})
