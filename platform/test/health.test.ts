import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHealth, type Dependency } from '../health.ts'
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

test('a dependency that does not answer is down', async () => {
  const { body } = await probe([{ name: 'database', check: () => new Promise(() => {}), required: true }])
  assert.equal(body.dependencies.database.reason, 'TIMEOUT')
})

test('a process that starts or stops is not ready', async () => {
  const { codes } = await probe([], false)
  assert.deepEqual(codes, [200, 503, 200])
})
