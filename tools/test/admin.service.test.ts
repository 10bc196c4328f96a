import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { createPasswords } from '../../subgraphs/users/credentials/passwords.ts'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { root } from '../services.ts'

const folder = mkdtempSync(join(tmpdir(), 'admin-'))
const auditLog = join(folder, 'audit.log')
let url: string
let client: pg.Client
before(async () => {
  url = await createTestDatabase('users')
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
after(async () => {
  await client.end()
  rmSync(folder, { recursive: true })
})

/** Runs a tool to its end, with something on its standard input. */
async function run(tool: string, args: readonly string[], { input = '', env = {} } = {}) {
  const child = spawn(process.execPath, [join(root, `tools/${tool}.ts`), ...args], {
    env: { PATH: process.env.PATH, USERS_DATABASE_URL: url, AUDIT_LOG: auditLog, DATA_DIR: folder, ...env },
  })
  child.stdin.end(input)
  const [output, errors, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.on('close', resolve)),
  ])
  return { output, errors, code }
}
const audited = () =>
  readFileSync(auditLog, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
const account = async (email: string) =>
  (await client.query('SELECT id, name, roles::text[], password_hash FROM users WHERE email = $1', [email])).rows[0]

describe('npm run admin', () => {
  const create = (email: string, ...more: string[]) => ['create', '--email', email, ...more]

  test('the first administrator has the password of standard input, which is not shown', async () => {
    const { output, code } = await run('admin', create(' Ada@Example.com ', '--name', 'Ada'), {
      input: 'correct horse\n',
    })
    assert.equal(code, 0)
    assert.ok(!output.includes('correct horse'))
    const { id, name, roles, password_hash } = await account('ada@example.com')
    assert.deepEqual([name, roles], ['Ada', ['CUSTOMER', 'ADMIN']])
    assert.ok(await createPasswords().verify(password_hash, 'correct horse'))
    const { rows } = await client.query('SELECT type, sequence FROM outbox WHERE key = $1', [id])
    assert.deepEqual(rows, [{ type: 'user.registered', sequence: 1 }])
    const { action, target, detail } = audited().at(-1)
    assert.deepEqual([action, target, detail], ['account.registered', id, { roles: ['CUSTOMER', 'ADMIN'] }])
  })

  test('without one a password is made, shown once, and works', async () => {
    const { output } = await run('admin', create('made@example.com'))
    const [, password = ''] = /not shown again: (\S{24})$/m.exec(output) ?? []
    assert.ok(await createPasswords().verify((await account('made@example.com')).password_hash, password))
  })

  test('an address that has an account is refused, and promoted where that is asked for', async () => {
    await client.query("UPDATE users SET roles = '{CUSTOMER}' WHERE email = 'made@example.com'")
    const before = await account('made@example.com')
    const refused = await run('admin', create('made@example.com'), { input: 'battery staple' })
    assert.equal(refused.code, 1)
    assert.match(refused.errors, /has an account already/)
    assert.deepEqual(await account('made@example.com'), before)
    const { code } = await run('admin', create('MADE@example.com', '--promote'))
    assert.equal(code, 0)
    assert.deepEqual(await account('made@example.com'), { ...before, roles: ['CUSTOMER', 'ADMIN'] })
    assert.equal(audited().at(-1).action, 'roles.changed')
    const entries = audited().length
    const { output } = await run('admin', create('made@example.com', '--promote'))
    assert.equal(output, 'made@example.com is an administrator already.\n')
    assert.equal(audited().length, entries)
  })

  test('a password that would be guessed, an address that is none and a command that there is not are refused', async () => {
    const attempts = [
      [create('a@example.com'), 'password1', /Too many people/],
      [create('a@example.com'), 'short', /8 to 128/],
      [create('no address'), 'correct horse', /not an e-mail address/],
      [['create'], '', /Usage/],
      [['remove', '--email', 'a@example.com'], '', /Usage/],
      [create('a@example.com', '--force'), '', /Usage/],
    ] as const
    for (const [args, input, message] of attempts) {
      const { code, errors } = await run('admin', args, { input })
      assert.equal(code, 1)
      assert.match(errors, message)
    }
    assert.equal(await account('a@example.com'), undefined)
  })

  test('without a database it says which variable names it', async () => {
    const { code, errors } = await run('admin', create('a@example.com'), { env: { USERS_DATABASE_URL: '' } })
    assert.equal(code, 1)
    assert.match(errors, /^Name the database: USERS_DATABASE_URL/)
  })
})

describe('npm run keys', () => {
  const secret = Buffer.alloc(32, 7).toString('base64url')
  const lines = ({ output }: { output: string }) =>
    output
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))

  test('the first key signs at once, the next ones wait, one at a time', async () => {
    const first = lines(await run('keys', ['rotate']))
    assert.deepEqual(
      first.map(([, state, , , kept]) => [state, kept]),
      [['signing', 'plain']],
    )
    const second = lines(await run('keys', ['rotate'], { env: { SIGNING_KEYS_SECRET: secret } }))
    assert.deepEqual(
      second.map(([, state, , , kept]) => [state, kept]),
      [
        ['signing', 'plain'],
        ['waiting', 'encrypted'],
      ],
    )
    const third = await run('keys', ['rotate'], { env: { SIGNING_KEYS_SECRET: secret } })
    assert.equal(third.code, 1)
    assert.match(third.errors, new RegExp(`${second[1]?.[0]} waits to sign`))
    assert.deepEqual(lines(await run('keys', ['list'])), second)
    assert.equal(audited().filter(({ action }) => action === 'signing_key.added').length, 2)
  })

  test('in production a key is not kept plain, and with another secret none is added', async () => {
    const plain = await run('keys', ['rotate'], { env: { NODE_ENV: 'production' } })
    assert.match(plain.errors, /SIGNING_KEYS_SECRET: is not set/)
    await client.query('UPDATE signing_keys SET signs_from = now()')
    const other = Buffer.alloc(32, 8).toString('base64url')
    const { code, errors } = await run('keys', ['rotate'], { env: { SIGNING_KEYS_SECRET: other } })
    assert.equal(code, 1)
    assert.match(errors, /SIGNING_KEYS_SECRET is not the one/)
  })

  test('a command that there is not is refused', async () => {
    assert.match((await run('keys', ['remove'])).errors, /Usage/)
  })
})
