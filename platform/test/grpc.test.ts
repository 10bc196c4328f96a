import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError as RpcError,
  status,
} from '@grpc/grpc-js'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { continueTrace, currentContext, type RequestContext, runWithContext } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { createPeer } from '../grpc/client.ts'
import { createGrpcServer, type RpcCall } from '../grpc/server.ts'
import { loadService } from '../grpc/service.ts'
import { type Log, silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import {
  createPrincipalSigner,
  createPrincipalVerifier,
  createServiceTokens,
  createServiceTokenVerifier,
  type PrivateKey,
} from '../principal.ts'
import { testKeys } from './keys.ts'

const { privateKeys, keys } = await testKeys('gateway', 'users', 'orders', 'payments')
const service = loadService<Pick<UserServiceDefinition, 'GetUser'>>('users.v1.UserService')
const server = createGrpcServer({
  verifyCaller: createServiceTokenVerifier({ keys, audience: 'users' }),
  verifyPrincipal: createPrincipalVerifier({ keys }),
  mask: createMask({ service: 'users', log }),
})
let handle: (id: string, call: RpcCall) => Promise<void> = async () => {}
server.add(service, {
  GetUser: {
    callers: ['orders'],
    async handle({ id }, call) {
      await handle(id, call)
      return { id, name: 'Eve', email: 'eve@example.com', locale: 'en' }
    },
  },
})

let address: string
before(async () => {
  address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
})
after(() => server.close())

async function getUser(key: PrivateKey, to: Log = log) {
  const serviceToken = createServiceTokens({ key })
  const peer = createPeer({ name: 'users', service, addresses: [address], serviceToken, log: to })
  try {
    return await peer.rpcs.getUser({ id: 'u1' })
  } finally {
    peer.close()
  }
}

test('a listed caller is answered', async () => {
  handle = async () => {}
  const user = { id: 'u1', name: 'Eve', email: 'eve@example.com', locale: 'en', emailVerified: false }
  assert.deepEqual(await getUser(privateKeys.orders), user)
})

test('a caller that is not on the list of the RPC gets PERMISSION_DENIED', async () => {
  assert.equal(
    (await rawCall(await createServiceTokens({ key: privateKeys.payments })('users'))).code,
    status.PERMISSION_DENIED,
  )
})

test('a call without a valid service token gets UNAUTHENTICATED', async () => {
  const stranger = await testKeys('orders')
  const tokens = [
    undefined,
    'nonsense',
    await createServiceTokens({ key: privateKeys.orders })('products'),
    await createServiceTokens({ key: stranger.privateKeys.orders })('users'),
  ]
  for (const token of tokens) assert.equal((await rawCall(token)).code, status.UNAUTHENTICATED)
})

test('a peer that refuses the calling service is SUBGRAPH_UNAVAILABLE, for which there is a repeat, and the log names it', async () => {
  const stranger = await testKeys('orders')
  const logged: Record<string, unknown>[] = []
  const keeping: Log = { ...log, error: (message, fields) => void logged.push({ message, ...fields }) }
  const refused = [
    { key: stranger.privateKeys.orders, code: status.UNAUTHENTICATED, reason: 'The token is not valid.' },
    { key: privateKeys.payments, code: status.PERMISSION_DENIED, reason: 'payments may not call this.' },
  ]
  for (const { key, code, reason } of refused) {
    await assert.rejects(getUser(key, keeping), (error: ServiceError) => {
      assert.deepEqual([error.code, error.details.subgraph], ['SUBGRAPH_UNAVAILABLE', 'users'])
      return error.retryable
    })
    const line = { message: 'peer refuses this service', peer: 'users', method: 'GetUser', instance: `dns:${address}` }
    assert.ok(logged.length > 0)
    // The call is made once more, at another instance where there is one.
    for (const entry of logged.splice(0)) assert.deepEqual(entry, { ...line, code, reason })
  }
})

test('the trace, the request id, the deadline and the principal travel with a call', async () => {
  const principal = { sub: 'u1', sid: 's1', scopes: [], anonymous: false, address: null }
  const principalToken = await createPrincipalSigner({ key: privateKeys.gateway })(principal)
  /** Milliseconds, less than a call has of its own. */
  const time = 1_500
  const context: RequestContext = {
    ...continueTrace({}),
    tracestate: 'foo=1,bar=2',
    requestId: 'r1',
    deadline: Date.now() + time,
    principalToken,
  }
  let seen: RequestContext | undefined
  let received = 0
  handle = async (_id, call) => {
    received = Date.now()
    seen = currentContext()
    assert.equal(call.caller, 'orders')
    assert.deepEqual(await call.principal(), principal)
  }
  await runWithContext(context, () => getUser(privateKeys.orders))
  assert.equal(seen?.traceparent.slice(0, 36), context.traceparent.slice(0, 36))
  assert.notEqual(seen?.traceparent, context.traceparent)
  assert.equal(seen?.tracestate, 'foo=1,bar=2')
  assert.equal(seen?.requestId, 'r1')
  assert.equal(seen?.principalToken, context.principalToken)
  // What is left of the time travels: the way adds to it, and the server has no more than there was.
  assert.ok((seen?.deadline ?? 0) >= (context.deadline ?? 0) - 10)
  assert.ok((seen?.deadline ?? 0) <= received + time)
})

test('several tracestates of a call are one, and several traceparents none', async () => {
  const token = await createServiceTokens({ key: privateKeys.orders })('users')
  const { traceparent } = continueTrace({})
  let seen: RequestContext | undefined
  handle = async () => {
    seen = currentContext()
  }
  await rawCall(token, { traceparent: [traceparent], tracestate: ['foo=1', 'bar=2'], baggage: ['secret=1'] })
  assert.equal(seen?.traceparent.slice(0, 36), traceparent.slice(0, 36))
  assert.deepEqual(Object.keys(seen ?? {}).sort(), ['deadline', 'traceparent', 'tracestate'])
  assert.equal(seen?.tracestate, 'foo=1,bar=2')
  await rawCall(token, { traceparent: [traceparent, traceparent], tracestate: ['foo=1'] })
  assert.notEqual(seen?.traceparent.slice(0, 36), traceparent.slice(0, 36))
  assert.equal(seen?.tracestate, undefined)
})

test('a user is not there for a call that brings none', async () => {
  handle = async (_id, call) => void (await call.principal())
  await assert.rejects(getUser(privateKeys.orders), { code: 'UNAUTHENTICATED' })
})

test('a refusal arrives as it was made', async () => {
  const items = [{ productId: 'p1', requested: 3, available: 1 }]
  handle = async () => {
    throw new ServiceError('INSUFFICIENT_STOCK', 'Not enough: Größe 5', { items })
  }
  await assert.rejects(getUser(privateKeys.orders), {
    code: 'INSUFFICIENT_STOCK',
    message: 'Not enough: Größe 5',
    details: { items },
  })
})

test('the largest refusal arrives too', async () => {
  const items = Array.from({ length: 100 }, () => ({ productId: randomUUID(), requested: 1_000, available: 999 }))
  handle = async () => {
    throw new ServiceError('INSUFFICIENT_STOCK', '尺'.repeat(100_000), { items })
  }
  await assert.rejects(getUser(privateKeys.orders), { code: 'INSUFFICIENT_STOCK', details: { items } })
})

test('an error that is no refusal stays inside', async () => {
  handle = async () => {
    throw new Error('password=secret')
  }
  await assert.rejects(getUser(privateKeys.orders), (error: ServiceError) => {
    assert.equal(error.code, 'INTERNAL_SERVER_ERROR')
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
})

test('a call ends at the deadline of the request it is made for', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  handle = () => promise
  const started = performance.now()
  const call = runWithContext({ ...continueTrace({}), deadline: Date.now() + 1_000 }, () => getUser(privateKeys.orders))
  await assert.rejects(call, { code: 'SUBGRAPH_TIMEOUT', details: { subgraph: 'users', retryAfter: 1 } })
  // Before the limit of any call, which is 2 s.
  assert.ok(performance.now() - started < 1_900)
  resolve()
})

test('a peer that is not there is SUBGRAPH_UNAVAILABLE', async () => {
  const peer = createPeer({ name: 'users', service, addresses: ['127.0.0.1:1'], serviceToken: async () => 'x' })
  await assert.rejects(peer.rpcs.getUser({ id: 'u1' }), {
    code: 'SUBGRAPH_UNAVAILABLE',
    details: { subgraph: 'users', retryAfter: 1 },
  })
  await assert.rejects(peer.check())
  peer.close()
})

function rawCall(token: string | undefined, headers: Record<string, string[]> = {}): Promise<RpcError> {
  const Client = makeGenericClientConstructor(service, 'users')
  const client = new Client(address, credentials.createInsecure())
  const metadata = new Metadata()
  if (token) metadata.set('authorization', `Bearer ${token}`)
  for (const [name, values] of Object.entries(headers)) for (const value of values) metadata.add(name, value)
  return new Promise((resolve) => {
    client.GetUser?.({ id: 'u1' }, metadata, { deadline: Date.now() + 5_000 }, (error: RpcError) => {
      client.close()
      resolve(error)
    })
  })
}
