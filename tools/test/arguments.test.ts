import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { root } from '../services.ts'

const folder = mkdtempSync(join(tmpdir(), 'commerce-arguments-'))
after(() => rmSync(folder, { recursive: true }))

/** Runs a command in a folder of its own, with its data in `.data` of it. */
function run(name: string, ...args: string[]) {
  const env = { ...process.env, DATA_DIR: join(folder, '.data') }
  return spawnSync(process.execPath, [join(root, `tools/${name}.ts`), ...args], { cwd: folder, env, encoding: 'utf8' })
}

const unknown: [name: string, ...args: string[]][] = [
  ['reset', '--help'],
  ['reset', 'all'],
  ['secrets', '--help'],
  ['secrets', 'here', 'there'],
]
for (const [name, ...args] of unknown) {
  test(`${name} ${args.join(' ')} is answered with the usage, and nothing is done`, () => {
    const { status, stderr, stdout } = run(name, ...args)
    assert.match(stderr, new RegExp(`^Usage: npm run ${name}[^\\n]*\\n$`))
    assert.deepEqual({ status, stdout, files: readdirSync(folder) }, { status: 2, stdout: '', files: [] })
  })
}

test('reset removes all that a shop keeps in its data folder, and nothing else', () => {
  const data = join(folder, '.data')
  for (const name of ['postgres', 'mail', 'sms', 'push']) mkdirSync(join(data, name), { recursive: true })
  for (const name of ['audit.log', 'demo.json', 'secrets.json', 'own.txt']) writeFileSync(join(data, name), '{}')
  const { status, stderr } = run('reset')
  assert.deepEqual({ status, stderr, left: readdirSync(data) }, { status: 0, stderr: '', left: ['own.txt'] })
})
