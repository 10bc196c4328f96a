import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { continueTrace } from '#platform/context.ts'
import { createHealth } from '#platform/health.ts'
import { createHttpServer } from '#platform/http.ts'
import { listen } from '#platform/listen.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import { stoppable } from '../../platform/test/stopping.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { createForwarder } from '../forward.ts'
import { ask } from './ask.ts'

/** Milliseconds for which an instance that stops still serves: by far more than an idle connection is kept. */
const delay = 3_000

/** An instance that counts the mutations it answered. */
async function startInstance(port: number, shutdownDelay: number) {
  const { lifecycle, stop } = stoppable()
  const mask = createMask({ service: 'things', log })
  const app = createHttpServer({ lifecycle, health: createHealth([]), mask, bodyLimit: 10_000 })
  const instance = { answered: 0, stop }
  app.post('/graphql', async () => {
    await sleep(Math.random() * 10)
    instance.answered += 1
    return { data: { a: true } }
  })
  await listen(app, { host: '127.0.0.1', port, shutdownDelay, lifecycle })
  return instance
}

test('no mutation fails while two instances, known by a list, are restarted one after the other', async () => {
  const ports = await freePorts(2)
  const urls = ports.map((port) => `http://127.0.0.1:${port}/graphql`)
  const instances = await Promise.all(ports.map((port) => startInstance(port, delay)))
  const forwarder = createForwarder({ name: 'things', urls, timeout: 5_000, log })
  const context = { requestId: 'r', ...continueTrace({}), deadline: Date.now() + 120_000 }
  let sent = 0
  let done = false
  const failures: unknown[] = []
  // Pauses of all lengths, so that connections of all ages are kept idle.
  const workers = Array.from({ length: 20 }, async (_, worker) => {
    while (!done) {
      sent += 1
      const { errors } = await ask(forwarder, { query: 'mutation M{a}' }, context)
      if (errors?.[0]) failures.push(errors[0].extensions?.code)
      await sleep(Math.random() * 10 * worker)
    }
  })
  for (const index of [0, 1]) {
    const [instance, port = 0] = [instances[index], ports[index]]
    await instance?.stop()
    const fresh = await startInstance(port, delay)
    instances[index] = fresh
    await waitFor('the instance to be used again', () => fresh.answered > 0)
  }
  await waitFor('many mutations', () => sent > 500)
  done = true
  await Promise.all(workers)
  await forwarder.close()
  await Promise.all(instances.map(({ stop }) => stop(false)))
  assert.deepEqual(failures, [])
})
