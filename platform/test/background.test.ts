import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createBackground } from '../background.ts'
import { currentContext, type RequestContext, runWithContext } from '../context.ts'
import { type LogFields, silentLog as log } from '../log.ts'

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

test('a task begins after its caller has gone on, in the context of its caller', async () => {
  const background = createBackground({ name: 'test', log })
  let seen: RequestContext | undefined
  const context = { traceparent, tracestate: 'foo=1' }
  runWithContext(context, () =>
    background.add(async () => {
      seen = currentContext()
    }),
  )
  assert.equal(seen, undefined)
  await waitFor('the task', () => seen === context)
})

test('a task that fails is tried again, and given up after the last pause with a line in the log', async () => {
  const lines: [string, LogFields | undefined][] = []
  const warn = (message: string, fields?: LogFields) => void lines.push([message, fields])
  const background = createBackground({ name: 'test', pauses: [1, 1], log: { ...log, warn } })
  let attempts = 0
  background.add(async () => {
    attempts += 1
    throw new Error('not now')
  })
  await waitFor('the end', () => lines.some(([message]) => message === 'task given up'))
  assert.equal(attempts, 3)
  assert.deepEqual(
    lines.map(([message]) => message),
    ['task failed', 'task failed', 'task given up'],
  )
})

test('there is room for a bounded number of tasks, those that pause included', async () => {
  const background = createBackground({ name: 'test', capacity: 2, pauses: [60_000], log })
  assert.ok(background.add(() => Promise.reject(new Error('not now'))))
  assert.ok(background.add(async () => {}))
  assert.equal(
    background.add(async () => {}),
    false,
  )
  await waitFor('room', () => background.add(async () => {}))
  await background.stop()
})

test('no more tasks run at once than are to', async () => {
  const background = createBackground({ name: 'test', concurrency: 2, log })
  let running = 0
  let done = 0
  for (let index = 0; index < 10; index += 1) {
    background.add(async () => {
      running += 1
      assert.ok(running <= 2)
      await new Promise(setImmediate)
      running -= 1
      done += 1
    })
  }
  await waitFor('all', () => done === 10)
})

test('a stop gives what waits one more attempt, and takes no more', async () => {
  const background = createBackground({ name: 'test', concurrency: 1, pauses: [60_000], log })
  const attempts = { failing: 0, waiting: 0 }
  background.add(async () => {
    attempts.failing += 1
    throw new Error('not now')
  })
  await waitFor('the first attempt', () => attempts.failing === 1)
  background.add(async () => {
    attempts.waiting += 1
  })
  await background.stop()
  assert.deepEqual(attempts, { failing: 2, waiting: 1 })
  assert.equal(
    background.add(async () => {}),
    false,
  )
})

test('a stop does not wait for ever', async () => {
  const background = createBackground({ name: 'test', stopLimit: 1, log })
  background.add(() => new Promise(() => {}))
  await background.stop()
})
