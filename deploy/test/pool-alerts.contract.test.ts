import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/services.ts'

const missing = spawnSync('promtool', ['--version']).status !== 0
const skip = missing && process.env.REQUIRE_REAL !== '1' && 'there is no promtool'

test('the alerts of pools fire where they should and do not where they should not', { skip }, () => {
  const file = join(root, 'deploy/test/pool-alerts.yml')
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}${stderr}`)
})
