import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { claimFolder, readyShop } from '../infra/run-file.ts'

const parts = { gateway: 'http://127.0.0.1:4000/graphql', mail: '/mail', auditLog: '/audit.log', postgres: undefined }

describe('the data folder', () => {
  let folder: string
  const write = (content: string) => writeFileSync(join(folder, 'run.json'), content)
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'commerce-run-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test('belongs to one process until it gives it back', () => {
    const claim = claimFolder(folder)
    assert.throws(() => claimFolder(folder), new RegExp(`runs over ${folder} already, as process ${process.pid}\\.`))
    claim.release()
    claimFolder(folder).release()
    assert.deepEqual(readdirSync(folder), [])
  })

  test('says in a sentence that there is no shop, or none that is ready', () => {
    assert.throws(() => readyShop(folder), /^Error: The shop is not running\./)
    const claim = claimFolder(folder)
    assert.throws(() => readyShop(folder), /^Error: The shop is still starting\./)
    claim.publish(parts)
    assert.deepEqual(readyShop(folder), { supervisor: process.pid, ...parts })
  })

  test('is lost by a process that was killed, though another one has its id', { skip: !existsSync('/proc') }, () => {
    write(JSON.stringify({ supervisor: process.pid, startedAt: '1', ...parts }))
    assert.throws(() => readyShop(folder), /not running/)
    claimFolder(folder)
    assert.throws(() => claimFolder(folder), /already/)
  })

  test('is lost by a process whose file a power failure left half written', () => {
    write('{"superv')
    claimFolder(folder)
  })

  test('is lost by a process that was killed while it claimed it from another', { skip: !existsSync('/proc') }, () => {
    const gone = JSON.stringify({ supervisor: process.pid, startedAt: '1' })
    for (const name of ['run.json', 'run.json.lock']) writeFileSync(join(folder, name), gone)
    claimFolder(folder).release()
    assert.deepEqual(readdirSync(folder), [])
  })

  test('goes to one of several that claim it at once', async () => {
    write(JSON.stringify({ supervisor: 2 ** 30, startedAt: '1' }))
    const script = `
      import { claimFolder } from ${JSON.stringify(join(import.meta.dirname, '../infra/run-file.ts'))}
      process.stdin.on('end', () => process.exit()).resume()
      try { claimFolder(process.argv[1]); console.log('mine') } catch (error) { console.log(error.message) }`
    const claimants = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '--eval', script, folder], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    const answers = await Promise.all(
      claimants.map(
        ({ stdout }) => new Promise<string>((resolve) => stdout.once('data', (data) => resolve(String(data).trim()))),
      ),
    )
    const exits = claimants.map((claimant) => new Promise((resolve) => claimant.once('exit', resolve)))
    for (const { stdin } of claimants) stdin.end()
    await Promise.all(exits)
    assert.equal(answers.filter((answer) => answer === 'mine').length, 1, answers.join('\n'))
    assert.equal(answers.filter((answer) => /already/.test(answer)).length, 3, answers.join('\n'))
  })
})
