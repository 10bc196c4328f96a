import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { addresses, ConfigError, integer, json, list, port, readEnv, urls } from '../env.ts'

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
