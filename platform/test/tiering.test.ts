import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { callsUntilOptimized } from '../tiering.ts'

const run = promisify(execFile)

test('this V8 knows when to optimize, and would do it later by itself', async () => {
  const { stdout } = await run(process.execPath, ['--v8-options'])
  const [, calls] =
    /--invocation-count-for-turbofan .*\n\s+type: int\s+default: --invocation-count-for-turbofan=(\d+)/.exec(stdout) ??
    []
  assert.ok(Number(calls) > callsUntilOptimized, `${calls} calls`)
})

test('V8 takes the setting while it runs, and says nothing', async () => {
  const file = new URL('../tiering.ts', import.meta.url).href
  const { stderr } = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { optimizeSooner } from ${JSON.stringify(file)}; optimizeSooner()`,
  ])
  assert.equal(stderr, '')
})
