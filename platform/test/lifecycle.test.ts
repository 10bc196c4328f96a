import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'

const folder = mkdtempSync(join(tmpdir(), 'lifecycle-'))
after(() => rmSync(folder, { recursive: true }))

/** A process that runs `start` by `run`, and what it wrote. */
function startProcess(start: string) {
  const entry = join(folder, `${Math.random().toString(36).slice(2)}.ts`)
  writeFileSync(
    entry,
    `import { run } from ${JSON.stringify(join(import.meta.dirname, '../lifecycle.ts'))}
     import { processSettings as settings } from ${JSON.stringify(join(import.meta.dirname, '../env.ts'))}
     const keepAlive = setInterval(() => {}, 1_000)
     await run('thing', { settings, rules: [] }, async ({ lifecycle }) => { ${start} })`,
  )
  const child = fork(entry, { silent: true })
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  const exited = once(child, 'exit')
  const read = child.stdout && once(child.stdout, 'end')
  return {
    child,
    ready: once(child, 'message'),
    said: (text: string) => waitFor(text, () => output.includes(text)),
    /** The exit code, and the messages that it logged. */
    async end(): Promise<{ code: number; messages: string[] }> {
      const [code] = await exited
      await read
      const lines = output.trim().split('\n')
      return { code, messages: lines.map((line) => (line.startsWith('{') ? JSON.parse(line).msg : line)) }
    },
  }
}

const parts = `for (const part of ['database', 'http']) lifecycle.onStop(part, () => console.log('undone', part, lifecycle.ready))`

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} undoes everything in the reverse order of its making, not being ready any more`, async () => {
    const { child, ready, end } = startProcess(parts)
    await ready
    child.kill(signal)
    assert.deepEqual(await end(), {
      code: 0,
      messages: ['ready', 'stopping', 'undone http false', 'undone database false', 'stopped'],
    })
  })
}

test('a process whose starter is gone stops', async () => {
  const { child, ready, end } = startProcess(parts)
  await ready
  child.disconnect()
  assert.equal((await end()).code, 0)
})

test('a second signal exits at once', async () => {
  const { child, ready, said, end } = startProcess(`lifecycle.onStop('slow', () => new Promise(() => {}))`)
  await ready
  child.kill('SIGTERM')
  await said('stopping')
  child.kill('SIGTERM')
  assert.equal((await end()).code, 1)
})

test('a part that cannot be undone does not keep the others from it', async () => {
  const { child, ready, end } = startProcess(
    `${parts}; lifecycle.onStop('broken', () => Promise.reject(new Error('no')))`,
  )
  await ready
  child.kill('SIGTERM')
  const { code, messages } = await end()
  assert.equal(code, 0)
  assert.deepEqual(messages.slice(2, 5), ['stopping failed', 'undone http false', 'undone database false'])
})

test('a start that fails undoes what it did and exits with 1', async () => {
  const { end } = startProcess(`${parts}; throw new Error('no database')`)
  assert.deepEqual(await end(), {
    code: 1,
    messages: ['start failed', 'stopping', 'undone http false', 'undone database false', 'stopped'],
  })
})

test('a rejection that nobody handles stops the process with 1', async () => {
  const { end } = startProcess(`${parts}; setTimeout(() => Promise.reject(new Error('lost')), 10)`)
  const { code, messages } = await end()
  assert.equal(code, 1)
  assert.ok(messages.includes('undone database false'))
})
