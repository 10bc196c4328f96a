import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../services.ts'

/** The script on a copy of what it reads and writes. */
let copy: string
before(() => {
  copy = mkdtempSync(join(tmpdir(), 'events-'))
  for (const path of ['package.json', 'contracts', 'platform', 'schema', 'subgraphs', 'tools']) {
    cpSync(join(root, path), join(copy, path), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
})
after(() => rmSync(copy, { recursive: true, force: true }))

const contract = 'contracts/events/users.ts'
const record = 'schema/events/user.updated.json'
const read = (file: string) => readFileSync(join(copy, file), 'utf8')

/** Changes the contract of what tells how to reach a person. */
function change(line: RegExp, to: string): void {
  const text = read(contract)
  assert.match(text, line)
  writeFileSync(join(copy, contract), text.replace(line, to))
}

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/events.ts', ...args], { cwd: copy })
  return { status, output: `${stdout}${stderr}` }
}

test('what is committed is what would be written', () => {
  assert.deepEqual(run('--check'), { status: 0, output: '' })
})

test('an optional field that is new has to be recorded, and then nothing is left to do', () => {
  change(/^ {2}locale: /m, '  title: z.string().optional(),\n  locale: ')
  const refused = run('--check')
  assert.equal(refused.status, 1)
  assert.match(refused.output, /^user\.updated: title is new\.$/m)
  assert.match(refused.output, /Not as it would be written: schema\/events\.asyncapi\.yaml, .+ Run: npm run events/)
  assert.equal(run().status, 0)
  assert.ok('title' in JSON.parse(read(record)).data.properties)
  assert.equal(run('--check').status, 0)
})

test('what is recorded is only ever added to: a change that breaks somebody is refused, and nothing is written', () => {
  const recorded = read(record)
  change(/^ {2}locale: .*\n/m, '')
  for (const args of [[], ['--check']]) {
    const { status, output } = run(...args)
    assert.equal(status, 1)
    assert.match(output, /^user\.updated: locale is gone, removed or renamed: its consumers would miss it\.$/m)
  }
  assert.equal(read(record), recorded)
})
