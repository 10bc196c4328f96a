import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { addresses, ConfigError, integer, json, list, port, readEnv, reasonOf, urls, withoutFiles } from '../env.ts'

test('settings are read from text', () => {
  const settings = {
    PORT: port.default(4000),
    NAMES: list,
    KEY: json(z.object({ kid: z.string() })),
    SIZE: integer(1, 10).default(5),
    ABSENT: z.string().optional(),
  }
  const env = { PORT: '8080', NAMES: ' a, b ,,c', KEY: '{"kid":"x"}', SIZE: '' }
  assert.deepEqual(readEnv(settings, [], env), {
    PORT: 8080,
    NAMES: ['a', 'b', 'c'],
    KEY: { kid: 'x' },
    SIZE: 5,
    ABSENT: undefined,
  })
})

test('a list holds at least one, and nothing but its kind', () => {
  const good = { URLS: 'http://a:1/x,https://[::1]:2', ADDRESSES: 'a.b:1, [::1]:2', LIST: 'x' }
  const settings = { URLS: urls, ADDRESSES: addresses, LIST: list }
  assert.deepEqual(readEnv(settings, [], good), {
    URLS: ['http://a:1/x', 'https://[::1]:2'],
    ADDRESSES: ['a.b:1', '[::1]:2'],
    LIST: ['x'],
  })
  const bad = { URLS: [',', 'a:1', 'http://a, ftp://b'], ADDRESSES: [',', 'a', 'http://a:1', 'a:1,b:'], LIST: [' , '] }
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      assert.throws(() => readEnv(settings, [], { ...good, [name]: value }), new RegExp(`${name}: `), value)
    }
  }
})

test('a number that is none or out of bounds is answered with the bounds, once', () => {
  const reasonFor = (type: z.ZodType, text: string) => reasonOf(type.safeParse(text).error ?? new z.ZodError([]))
  for (const text of ['x', '0', '501', '1.5', '0.5', '1e999', '99999999999999999999'])
    assert.equal(reasonFor(integer(1, 500), text), 'must be a whole number from 1 to 500', text)
  for (const text of ['x', '-1', '-0.5', '99999999999999999999'])
    assert.equal(reasonFor(integer(0), text), 'must be a whole number from 0 on', text)
})

test('every fault is reported at once, the rules over several settings too', () => {
  const settings = { PORT: port, URL: z.url('must be a URL'), KEY: json(z.object({})), LIMIT: integer(1, 5) }
  const rule = ({ LIMIT }: { LIMIT?: number }) => (LIMIT === undefined ? ['LIMIT and more'] : [])
  assert.throws(
    () => readEnv(settings, [rule], { PORT: 'x', KEY: '{', LIMIT: '9' }),
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(
        error.faults.map((fault) => fault.split(':')[0]),
        ['PORT', 'URL', 'KEY', 'LIMIT', 'LIMIT and more'],
      )
      assert.match(error.message, /URL: is not set/)
      assert.match(error.message, /KEY: must be JSON/)
      return true
    },
  )
})

test('a setting may stand in a file that NAME_FILE names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-env-'))
  try {
    const file = join(folder, 'key')
    writeFileSync(file, 'secret\r\n\n')
    const settings = { KEY: z.string(), TLS_CA_FILE: z.string().optional(), TLS_CA: z.string().optional() }
    const { KEY, TLS_CA, TLS_CA_FILE } = readEnv(settings, [], { KEY_FILE: file, TLS_CA_FILE: '/ca.pem' })
    assert.deepEqual([KEY, TLS_CA, TLS_CA_FILE], ['secret', undefined, '/ca.pem'])
    const faulty: [Record<string, string>, RegExp][] = [
      [{ KEY: 'other', KEY_FILE: file }, /^KEY: is set, and so is KEY_FILE$/],
      [{ KEY_FILE: join(folder, 'absent') }, /^KEY: the file that KEY_FILE names cannot be read \(ENOENT\)$/],
      [{ KEY_FILE: folder }, /^KEY: the file that KEY_FILE names cannot be read \(EISDIR\)$/],
      [{ KEY_FILE: '' }, /^KEY: is not set$/],
    ]
    for (const [env, fault] of faulty) {
      assert.throws(
        () => readEnv({ KEY: z.string() }, [], env),
        (error) => error instanceof ConfigError && error.faults.length === 1 && fault.test(error.faults[0] ?? ''),
      )
    }
    writeFileSync(file, '\n')
    assert.throws(() => readEnv({ KEY: z.string() }, [], { KEY_FILE: file }), /KEY: is not set/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a variable that stands in a file stands itself afterwards, and the others as before', () => {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-env-'))
  try {
    const file = join(folder, 'brokers')
    writeFileSync(file, 'a:1\n')
    const source = { BROKERS_FILE: file, HOST: '::1', KEY_FILE: '/key' }
    const { BROKERS_FILE, ...env } = withoutFiles(['BROKERS', 'HOST'], source)
    assert.deepEqual(JSON.parse(JSON.stringify(env)), { BROKERS: 'a:1', HOST: '::1', KEY_FILE: '/key' })
    assert.equal(BROKERS_FILE, undefined)
    assert.throws(() => withoutFiles(['BROKERS'], { ...source, BROKERS: 'b:1' }), /BROKERS: is set, and so is/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
