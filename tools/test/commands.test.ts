import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { root } from '../services.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'commerce-commands-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Runs a command in a folder of its own, with its data in `.data` of it. */
function run(name: string, args: string[] = [], given: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH, DATA_DIR: join(folder, '.data'), ...given }
  return spawnSync(process.execPath, [join(root, `tools/${name}.ts`), ...args], { cwd: folder, env, encoding: 'utf8' })
}

const unknown: [name: string, ...args: string[]][] = [
  ['reset', '--help'],
  ['reset', 'all'],
  ['secrets', '--help'],
  ['secrets', 'here', 'there'],
  ['migrate', '--help'],
  ['compose', '--chek'],
  ['events', '--chek'],
  ['plan', '--bogus'],
  ['plan', 'web/CancelOrder', 'web/OrderHistory'],
  ['schema-check', '--bogus'],
  ['schema-check', 'main'],
]
for (const [name, ...args] of unknown) {
  test(`${name} ${args.join(' ')} is answered with the usage, and nothing is done`, () => {
    const { status, stderr, stdout } = run(name, args)
    assert.match(stderr, new RegExp(`^Usage: npm run ${name.replace('-', ':')}[^\\n]*\\n$`))
    assert.deepEqual({ status, stdout, files: readdirSync(folder) }, { status: 2, stdout: '', files: [] })
  })
}

test('a format or a drill that every object has by its nature is not known, nor a seed that is no number', () => {
  const { status, stderr } = run('schema-check', ['--format', 'constructor'])
  assert.deepEqual([status, stderr], [2, '--format must be one of text, json, github.\n'])
  for (const args of [['constructor'], ['fuzz', 'abc'], ['fuzz', '1', '2']]) {
    const { status, stdout } = run('drill', args)
    assert.equal(status, 1)
    assert.match(stdout, /^Usage: npm run drill -- <name> /)
  }
})

test('reset removes all that a shop keeps in its data folder, and nothing else', () => {
  const data = join(folder, '.data')
  for (const name of ['postgres', 'mail', 'sms', 'push']) mkdirSync(join(data, name), { recursive: true })
  for (const name of ['audit.log', 'demo.json', 'secrets.json', 'own.txt']) writeFileSync(join(data, name), '{}')
  const { status, stderr } = run('reset')
  assert.deepEqual({ status, stderr, left: readdirSync(data) }, { status: 0, stderr: '', left: ['own.txt'] })
})

/** The name of a file with a text in it. */
function fileWith(text: string): string {
  const file = join(folder, 'setting')
  writeFileSync(file, text)
  return file
}

const faults: [command: string, variable: string, fault: string][] = [
  ['start', 'USERS_DATABASE_URL', 'must be a postgres:// URL'],
  ['start', 'EVENTS_DATABASE_URL', 'must be a postgres:// URL'],
  ['migrate', 'ORDERS_DATABASE_URL', 'must be a postgres:// URL'],
  ['ledger', 'PRODUCTS_DATABASE_URL', 'must be a postgres:// URL'],
  ['topics', 'KAFKA_BROKERS', 'must be host:port'],
  ['topics', 'EVENTS_DATABASE_URL', 'must be a postgres:// URL'],
]
for (const [command, variable, fault] of faults) {
  test(`${command} says what is wrong with ${variable}, also where it stands in a file`, () => {
    for (const given of [{ [variable]: 'garbage' }, { [`${variable}_FILE`]: fileWith('garbage\n') }]) {
      const { status, stderr } = run(command, [], given)
      assert.ok(stderr.includes(`Settings that are missing or wrong:\n  ${variable}: ${fault}\n`), stderr)
      assert.doesNotMatch(stderr, /\n {4}at /)
      assert.equal(status, 1)
    }
    assert.equal(existsSync(join(folder, '.data/postgres')), false)
  })
}

for (const file of ['secrets.json', 'demo.json']) {
  test(`start says that ${file} is broken, and leaves it as it is`, () => {
    for (const content of ['{"postgres": "hunter2', 'null']) {
      mkdirSync(join(folder, '.data'), { recursive: true })
      writeFileSync(join(folder, '.data', file), content)
      const { status, stderr } = run('start')
      assert.match(stderr, new RegExp(`^\\n\\S+/\\.data/${file} is broken: [^\\n]+\\n$`))
      assert.doesNotMatch(stderr, /hunter2/)
      assert.equal(status, 1)
      assert.equal(readFileSync(join(folder, '.data', file), 'utf8'), content)
    }
  })
}

test('start says which file of a setting it cannot read', () => {
  for (const variable of ['USERS_DATABASE_URL', 'KAFKA_BROKERS', 'MAIL_DIR']) {
    const { stderr } = run('start', [], { [`${variable}_FILE`]: join(folder, 'absent') })
    assert.equal(stderr.trim(), `${variable}: the file that ${variable}_FILE names cannot be read (ENOENT)`)
  }
})

for (const command of ['migrate', 'seed']) {
  test(`${command} names the variable of a database that does not answer`, () => {
    const url = 'postgres://users@127.0.0.1:1/users'
    const { status, stderr } = run(command, [], { USERS_DATABASE_URL: url, PRODUCTS_DATABASE_URL: url })
    assert.match(stderr, /^(USERS|PRODUCTS)_DATABASE_URL: connect ECONNREFUSED 127\.0\.0\.1:1\n$/)
    assert.equal(status, 1)
  })
}
