import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { ConfigError, integer, json, list, port, readEnv } from '../env.ts'

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
