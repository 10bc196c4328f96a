import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createLoad, type Load } from '../load.ts'
import { operationNames } from '../operations.ts'
import { openPlace } from '../place.ts'
import { type Gateway, isAvailable, startGateway } from '../rows.ts'

/** The bench without the gateways of others, which are not installed for tests. */

let opened: Awaited<ReturnType<typeof openPlace>>
let load: Load
let on: Gateway
let off: Gateway

before(async () => {
  opened = await openPlace(undefined)
  load = createLoad(opened.tokens)
  ;[on, off] = await Promise.all([startGateway('ours-on', opened.place), startGateway('ours-off', opened.place)])
})

after(async () => {
  await load?.close()
  await Promise.all([on?.stop(), off?.stop()])
  await opened?.stop()
})

test('every operation is answered without errors, and the same with everything on and off', async () => {
  const bytes: Record<string, number> = {}
  for (const operation of operationNames) {
    const answers = await load.answers(on, operation)
    assert.deepEqual(await load.answers(off, operation), answers)
    bytes[operation] = JSON.stringify(answers[0]).length
  }
  assert.ok((bytes.list ?? 0) > 2_500 && (bytes.list ?? 0) < 3_500, `list ${bytes.list}`)
  assert.ok((bytes.heavy ?? 0) > 80_000 && (bytes.heavy ?? 0) < 100_000, `heavy ${bytes.heavy}`)
})

test('a round counts its requests, and the CPU that they cost the gateway', async () => {
  await load.answers(on, 'single')
  const round = await load.round(on, 'single', 50)
  assert.equal(round.latencies.length, 50)
  assert.ok(round.cpu > 0 && round.wall > 0)
  const fresh = await load.fresh(on, 'single', 5)
  assert.equal(fresh.latencies.length, 5)
})

test('a round fails where an answer is not the one that was compared', async () => {
  await assert.rejects(load.round(off, 'list', 1).then(() => load.round({ ...off, name: 'apollo' }, 'list', 1)))
})

test('Hive Router takes part only where its binary is named', () => {
  assert.equal(isAvailable('hive-router', opened.place), false)
  assert.equal(isAvailable('hive-router', { ...opened.place, hiveRouter: '/usr/bin/hive_router' }), true)
})
