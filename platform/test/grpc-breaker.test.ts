import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { type BreakerRules, createBreaker } from '../breaker.ts'
import { continueTrace, runWithContext } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { createPeer } from '../grpc/client.ts'
import { createGrpcServer } from '../grpc/server.ts'
import { loadService } from '../grpc/service.ts'
import { CallerRefused } from '../grpc/status.ts'
import { silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import { createPrincipalVerifier, createServiceTokens, createServiceTokenVerifier } from '../principal.ts'
import { testKeys } from './keys.ts'

const { privateKeys, keys } = await testKeys('gateway', 'users', 'orders')
const service = loadService<Pick<UserServiceDefinition, 'GetUser'>>('users.v1.UserService')
const rules: BreakerRules = { opens: { row: 5 }, openTime: 60_000, probes: 3, slowCall: 0 }
const serviceToken = createServiceTokens({ key: privateKeys.orders })

/** A peer at a port that stays its own while it is down, and a client with a breaker. */
async function start() {
  const [port = 0] = await freePorts(1)
  let handle = async (): Promise<void> => {}
  let asked = 0
  let server: ReturnType<typeof createGrpcServer> | undefined
  const breaker = createBreaker({ rules: () => rules })
  const peer = createPeer({ name: 'users', service, addresses: [`127.0.0.1:${port}`], serviceToken, breaker })
  return {
    breaker,
    peer,
    get asked() {
      return asked
    },
    answer: (next: () => Promise<void>) => {
      handle = next
    },
    async up() {
      server = createGrpcServer({
        verifyCaller: createServiceTokenVerifier({ keys, audience: 'users' }),
        verifyPrincipal: createPrincipalVerifier({ keys }),
        mask: createMask({ service: 'users', log }),
      })
      server.add(service, {
        GetUser: {
          callers: ['orders'],
          async handle({ id }) {
            asked += 1
            await handle()
            return { id, name: 'Eve', email: 'eve@example.com', locale: 'en' }
          },
        },
      })
      server.setServing(true)
      await server.listen('127.0.0.1', port)
    },
    serves: (serving: boolean) => server?.setServing(serving),
    call: () => peer.rpcs.getUser({ id: 'u1' }),
    async stop() {
      await peer.close()
      await server?.close()
    },
  }
}

test('more than 5 failures in a row open the breaker of a peer, and calls are refused with a typed error that says when to retry', async () => {
  const users = await start()
  for (let made = 0; made < 6; made++) {
    assert.equal(users.breaker.state, 'closed')
    await assert.rejects(users.call(), { code: 'SUBGRAPH_UNAVAILABLE', details: { subgraph: 'users', retryAfter: 1 } })
  }
  assert.equal(users.breaker.state, 'open')
  await assert.rejects(users.call(), (error: ServiceError) => {
    assert.deepEqual([error.code, error.details], ['SUBGRAPH_UNAVAILABLE', { subgraph: 'users', retryAfter: 5 }])
    return error.retryable
  })
  await users.stop()
})

test('a peer that is found to be back is tried with exactly 3 calls, and asked again', async () => {
  const users = await start()
  for (let made = 0; made < 6; made++) await assert.rejects(users.call())
  await users.up()
  await users.peer.check()
  assert.equal(users.breaker.state, 'half-open')
  const ends = Promise.withResolvers<void>()
  users.answer(() => ends.promise)
  const calls = Array.from({ length: 10 }, () => users.call())
  const refused = await Promise.allSettled(calls.slice(3))
  assert.ok(refused.every(({ status }) => status === 'rejected'))
  ends.resolve()
  await Promise.all(calls.slice(0, 3))
  assert.equal(users.asked, 3)
  assert.equal(users.breaker.state, 'closed')
  await users.stop()
})

test('a peer that takes connections and says that it does not serve is not tried, and at once when it serves again', async () => {
  const users = await start()
  await users.up()
  users.serves(false)
  const unavailable = new ServiceError('SUBGRAPH_UNAVAILABLE', 'Not available.', { subgraph: 'users' })
  users.answer(() => Promise.reject(unavailable))
  for (let made = 0; made < 6; made++) await assert.rejects(users.call())
  for (let round = 0; round < 20; round++) {
    await assert.rejects(users.peer.check())
    assert.equal(users.breaker.state, 'open')
  }
  assert.equal(users.asked, 6)
  users.answer(async () => {})
  users.serves(true)
  await users.peer.check()
  for (let made = 0; made < 3; made++) await users.call()
  assert.equal(users.breaker.state, 'closed')
  await users.stop()
})

test("a peer's refusals do not count, nor the unavailability of another service that it passes on", async () => {
  const refusals = [
    new ServiceError('NOT_FOUND', 'There is no such user.'),
    new ServiceError('OVERLOADED', 'Too busy now.', { subgraph: 'users' }),
    new ServiceError('SUBGRAPH_UNAVAILABLE', 'Not available.', { subgraph: 'notifications' }),
    new Error('a bug'),
  ]
  const users = await start()
  await users.up()
  for (const refusal of refusals) {
    users.answer(() => Promise.reject(refusal))
    for (let made = 0; made < 7; made++) await assert.rejects(users.call())
    assert.equal(users.breaker.state, 'closed', refusal.message)
  }
  await users.stop()
})

test('a peer that says of itself that it is not available, is late, or refuses the calling service, counts as failed', async () => {
  const users = await start()
  await users.up()
  const ends = Promise.withResolvers<void>()
  const failures = [
    () => Promise.reject(new ServiceError('SUBGRAPH_UNAVAILABLE', 'Not available.', { subgraph: 'users' })),
    () => ends.promise,
    () => Promise.reject(new CallerRefused('UNAUTHENTICATED', 'The token is not valid.')),
  ]
  for (const failure of failures) {
    users.answer(failure)
    const context = { ...continueTrace({}), deadline: Date.now() + 400 }
    await Promise.allSettled(Array.from({ length: 6 }, () => runWithContext(context, users.call)))
    assert.equal(users.breaker.state, 'open')
    users.breaker.notReady()
    users.answer(async () => {})
    await users.peer.check()
    for (let made = 0; made < 3; made++) await users.call()
    assert.equal(users.breaker.state, 'closed')
  }
  ends.resolve()
  await users.stop()
})

test('a caller without time left, or with too little of it, does not count', async () => {
  const users = await start()
  await users.up()
  // Which connects: there may be no time for it below.
  await users.peer.check()
  const ends = Promise.withResolvers<void>()
  users.answer(() => ends.promise)
  for (const left of [-1, 50]) {
    const context = { ...continueTrace({}), deadline: Date.now() + left }
    const calls = Array.from({ length: 7 }, () => runWithContext(context, users.call))
    await Promise.all(calls.map((call) => assert.rejects(call, { code: 'SUBGRAPH_TIMEOUT' })))
    assert.equal(users.breaker.state, 'closed')
  }
  ends.resolve()
  await users.stop()
})
