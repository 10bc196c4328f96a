import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { root } from '../services.ts'

test('npm start that is told to end tells the shop', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-start-'))
  try {
    const { start } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', scripts: { start } }))
    mkdirSync(join(folder, 'tools'))
    writeFileSync(
      join(folder, 'tools/start.ts'),
      `process.on('SIGTERM', () => { console.log('told'); process.exit() })
       setTimeout(() => {}, 60_000)
       console.log('started')`,
    )
    const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`
    const npm = spawn('npm', ['start'], {
      cwd: folder,
      env: { ...process.env, PATH },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    npm.stdout.on('data', (data) => {
      output += data
      if (/started\n$/.test(output)) npm.kill()
    })
    // Not before the last one that holds its output has ended.
    await once(npm, 'close')
    assert.match(output, /told\n$/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
