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
function startProcess(start: string, before = '') {
  const entry = join(folder, `${Math.random().toString(36).slice(2)}.ts`)
  writeFileSync(
    entry,
    `${before}
     import { run } from ${JSON.stringify(join(import.meta.dirname, '../lifecycle.ts'))}
     import { processSettings as settings } from ${JSON.stringify(join(import.meta.dirname, '../env.ts'))}
     const keepAlive = setInterval(() => {}, 1_000)
     const end = () => clearInterval(keepAlive)
     await run('thing', { settings, rules: [] }, async ({ lifecycle }) => { ${start} })`,
  )
  const child = fork(entry, { silent: true })
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  const lines = (): Record<string, unknown>[] =>
    output
      .trim()
      .split('\n')
      .map((line) => (line.startsWith('{') ? JSON.parse(line) : { msg: line }))
  const exited = once(child, 'exit')
  const read = child.stdout && once(child.stdout, 'end')
  return {
    child,
    ready: once(child, 'message'),
    said: (text: string) => waitFor(text, () => output.includes(text)),
    lines,
    /** The exit code, and the messages that it logged. */
    async end(): Promise<{ code: number; messages: unknown[] }> {
      const [code] = await exited
      await read
      return { code, messages: lines().map(({ msg }) => msg) }
    },
  }
}

/** The first part is undone last, and with it the process has nothing left to do. */
const parts = `lifecycle.onStop('process', end); for (const part of ['database', 'http']) lifecycle.onStop(part, () => console.log('undone', part, lifecycle.ready))`

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

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`a second signal, ${signal}, exits at once with ${code}`, async () => {
    const { child, ready, said, end } = startProcess(`lifecycle.onStop('slow', () => new Promise(() => {}))`)
    await ready
    child.kill('SIGTERM')
    await said('stopping')
    child.kill(signal)
    assert.equal((await end()).code, code)
  })
}

test('a process that does not end within 30 s says what keeps it, and exits with 1', async () => {
  const { child, ready, lines, end } = startProcess(
    `lifecycle.onStop('slow', () => { setTimeout(() => mock.timers.tick(30_000)); return new Promise(() => {}) })`,
    `import { mock } from 'node:test'; const { setTimeout } = globalThis; mock.timers.enable({ apis: ['setTimeout'] })`,
  )
  await ready
  child.kill('SIGTERM')
  assert.equal((await end()).code, 1)
  const { part, limit, resources } = lines().find(({ msg }) => msg === 'did not stop in time') ?? {}
  assert.deepEqual([part, limit], ['slow', 30_000])
  assert.ok(Array.isArray(resources) && resources.includes('Timeout'))
})

test('a process of which everything is undone, and which something still keeps, says so too', async () => {
  const { child, ready, end } = startProcess(
    `lifecycle.onStop('fast', () => void setTimeout(() => mock.timers.tick(30_000), 50))`,
    `import { mock } from 'node:test'; const { setTimeout } = globalThis; mock.timers.enable({ apis: ['setTimeout'] })`,
  )
  await ready
  child.kill('SIGTERM')
  const { code, messages } = await end()
  assert.equal(code, 1)
  assert.deepEqual(messages, ['ready', 'stopping', 'stopped', 'did not stop in time'])
})

test('what is undone knows whether the process still works, and how long ago the stop began', async () => {
  const tell = `lifecycle.onStop('first', (stop) => console.log('orderly', stop.orderly, stop.elapsed < 20_000))`
  const orderly = startProcess(`lifecycle.onStop('process', end); ${tell}`)
  await orderly.ready
  orderly.child.kill('SIGTERM')
  assert.ok((await orderly.end()).messages.includes('orderly true true'))
  const failed = startProcess(`${tell}; setTimeout(() => Promise.reject(new Error('lost')), 10)`)
  assert.ok((await failed.end()).messages.includes('orderly false true'))
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
