import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createHealth, Degraded, type Dependency, type Seen } from '../health.ts'
import { createHttpServer } from '../http.ts'
import { silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'

const up = async () => {}
const down = () => Promise.reject(Object.assign(new Error('at 10.0.0.1'), { code: 'ECONNREFUSED' }))

async function probe(dependencies: Dependency[], ready = true) {
  const health = createHealth(dependencies)
  await health.start()
  const lifecycle = { ready, stopping: false, onStop() {} }
  const app = createHttpServer({ lifecycle, health, mask: createMask({ service: 'test', log }), bodyLimit: 1024 })
  const [report, readiness, live] = await Promise.all(
    ['/health', '/health/ready', '/health/live'].map((path) => app.inject(path)),
  )
  health.stop()
  await app.close()
  return { body: report?.json(), codes: [report?.statusCode, readiness?.statusCode, live?.statusCode] }
}

test('everything up is UP', async () => {
  const { body, codes } = await probe([{ name: 'database', check: up, required: true }])
  assert.equal(body.status, 'UP')
  assert.deepEqual(codes, [200, 200, 200])
})

test('a dependency that is not required makes the process DEGRADED and leaves it ready', async () => {
  const { body, codes } = await probe([
    { name: 'database', check: up, required: true },
    { name: 'events', check: down, required: false },
  ])
  assert.equal(body.status, 'DEGRADED')
  assert.deepEqual(codes, [200, 200, 200])
})

test('a required dependency that is down makes the process DOWN and unready, and the reason holds no address', async () => {
  const { body, codes } = await probe([{ name: 'database', check: down, required: true }])
  assert.equal(body.status, 'DOWN')
  assert.equal(body.dependencies.database.reason, 'ECONNREFUSED')
  assert.doesNotMatch(JSON.stringify(body), /10\.0\.0\.1/)
  assert.deepEqual(codes, [503, 503, 200])
})

test('a dependency that works but not as it should is DEGRADED with its reason, and leaves the process ready', async () => {
  const degraded = () => Promise.reject(new Degraded('POOL_NEARLY_USED_UP'))
  const { body, codes } = await probe([{ name: 'database', check: degraded, required: true }])
  assert.equal(body.status, 'DEGRADED')
  assert.equal(body.dependencies.database.status, 'DEGRADED')
  assert.equal(body.dependencies.database.reason, 'POOL_NEARLY_USED_UP')
  assert.deepEqual(codes, [200, 200, 200])
})

test('each dependency has its status, the time of its check, and how long that took; a reason only where it is not UP', async () => {
  const before = Date.now()
  const slow = () => new Promise((resolve) => setTimeout(resolve, 50))
  const { body } = await probe([
    { name: 'slow', check: slow, required: true },
    { name: 'away', check: down, required: false },
  ])
  for (const [name, { checkedAt, since, latencyMs }] of Object.entries<Seen>(body.dependencies)) {
    assert.equal(new Date(checkedAt).toISOString(), checkedAt, name)
    assert.ok(Date.parse(checkedAt) >= before && Date.parse(checkedAt) <= Date.now(), name)
    assert.equal(since, checkedAt, name)
    assert.ok(latencyMs >= 0 && latencyMs <= Date.now() - before + 1, name)
  }
  assert.ok(body.dependencies.slow.latencyMs >= 49)
  assert.deepEqual(Object.keys(body.dependencies.slow).sort(), ['checkedAt', 'latencyMs', 'since', 'status'])
  assert.equal(body.dependencies.away.reason, 'ECONNREFUSED')
})

test('`since` is the time of the change, `checkedAt` that of the last check', async () => {
  const health = createHealth([{ name: 'database', check: up, required: true }])
  await health.start()
  health.stop()
  const first = health.report().dependencies.database
  await waitFor('the clock to go on', () => Date.now() > Date.parse(first?.checkedAt ?? ''))
  await health.start()
  health.stop()
  const second = health.report().dependencies.database
  assert.equal(second?.since, first?.since)
  assert.notEqual(second?.checkedAt, first?.checkedAt)
})

test('a probe checks nothing: it tells what was last seen', async () => {
  let checks = 0
  const counted = async () => {
    checks += 1
  }
  const health = createHealth([{ name: 'database', check: counted, required: true }])
  await health.start()
  health.stop()
  for (let probes = 0; probes < 1_000; probes++) assert.equal(health.report().status, 'UP')
  assert.equal(checks, 1)
})

test('a dependency that does not answer is down', async () => {
  const { body } = await probe([{ name: 'database', check: () => new Promise(() => {}), required: true }])
  assert.equal(body.dependencies.database.reason, 'TIMEOUT')
})

test('a process that starts or stops is not ready', async () => {
  const { codes } = await probe([], false)
  assert.deepEqual(codes, [200, 503, 200])
})
