import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError as RpcError,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import { service as healthService } from 'grpc-health-check'
import protobuf from 'protobufjs'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { ServiceError } from '../errors.ts'
import { createGrpcServer } from '../grpc/server.ts'
import { loadService } from '../grpc/service.ts'
import { silentLog as log } from '../log.ts'
import { createMask } from '../mask.ts'
import { testKeys } from './keys.ts'

/** What any client of gRPC can expect, which knows nothing of ours. */

const { keys } = await testKeys('gateway')
const service = loadService<Pick<UserServiceDefinition, 'GetUser'>>('users.v1.UserService')
let refusal: ServiceError | undefined
let calls = 0
let verify = async (): Promise<string> => 'orders'

function createServer() {
  const server = createGrpcServer({
    verifyCaller: () => verify(),
    verifyPrincipal: () => Promise.reject(new Error(String(keys))),
    mask: createMask({ service: 'users', log }),
    drainLimit: 200,
  })
  server.add(service, {
    GetUser: {
      callers: ['orders'],
      async handle({ id }) {
        calls += 1
        if (refusal) throw refusal
        return { id }
      },
    },
  })
  return server
}

const server = createServer()
let address: string
before(async () => {
  server.reflect('users')
  address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
})
after(() => server.close())

type AnyClient = Client & Record<string, (...args: unknown[]) => NodeJS.ReadWriteStream & { cancel(): void }>

function clientOf(definition: ServiceDefinition, to = address): AnyClient {
  return new (makeGenericClientConstructor(definition, 'any'))(to, credentials.createInsecure()) as unknown as AnyClient
}

function call<Answer>(client: AnyClient, method: string, input: object, deadline = Date.now() + 5_000) {
  return new Promise<{ error: RpcError | null; answer?: Answer }>((resolve) => {
    client[method]?.(input, new Metadata(), { deadline }, (error: RpcError | null, answer: Answer) => {
      client.close()
      resolve({ error, answer })
    })
  })
}

/** As https://github.com/googleapis/googleapis/blob/master/google/rpc has them. */
const { root: google } = protobuf.parse(
  `
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }`,
  { keepCase: true },
)

async function refused(error: ServiceError) {
  refusal = error
  const { error: failure } = await call(clientOf(service), 'GetUser', { id: 'u1' })
  refusal = undefined
  const [bytes] = failure?.metadata.get('grpc-status-details-bin') ?? []
  const options = { longs: Number }
  const { details, ...status } = google
    .lookupType('Status')
    .decode(bytes as Buffer)
    .toJSON()
  const parts = details.map(({ type_url, value }: { type_url: string; value: string }) => {
    const type = google.lookupType(type_url.replace('type.googleapis.com/google.rpc.', ''))
    return [type.name, type.toObject(type.decode(Buffer.from(value, 'base64')), options)]
  })
  return { ...status, ...Object.fromEntries(parts) }
}

test('a refused input names its field in a google.rpc.BadRequest', async () => {
  assert.deepEqual(await refused(new ServiceError('BAD_USER_INPUT', 'An id is a UUID.', { field: 'orderId' })), {
    code: 3,
    message: 'An id is a UUID.',
    ErrorInfo: { reason: 'BAD_USER_INPUT', domain: 'commerce-supergraph' },
    BadRequest: { field_violations: [{ field: 'orderId', description: 'An id is a UUID.' }] },
  })
})

test('what may succeed later says when in a google.rpc.RetryInfo', async () => {
  const { RetryInfo, code } = await refused(new ServiceError('IN_PROGRESS', 'Wait.', { retryAfter: 2 }))
  assert.deepEqual([code, RetryInfo], [10, { retry_delay: { seconds: 2 } }])
})

test('health is told without a token, and a watch is told of each change', async () => {
  const check = async () => (await call<{ status: string }>(clientOf(healthService), 'Check', {})).answer?.status
  server.setServing(false)
  assert.equal(await check(), 'NOT_SERVING')
  server.setServing(true)
  assert.equal(await check(), 'SERVING')
  const watching = clientOf(healthService)
  const watch = watching.Watch?.({})
  if (!watch) throw new Error('There is a watch.')
  const seen: string[] = []
  const { promise: third, resolve } = Promise.withResolvers<void>()
  watch.on('error', () => {})
  watch.on('data', ({ status }: { status: string }) => {
    seen.push(status)
    if (seen.length === 3) resolve()
    else server.setServing(seen.length % 2 === 0)
  })
  await third
  assert.deepEqual(seen, ['SERVING', 'NOT_SERVING', 'SERVING'])
  watch.cancel()
  watching.close()
})

test('reflection lists the services, where it is switched on', async () => {
  const file = protobuf
    .parse(
      `syntax = "proto3"; package grpc.reflection.v1;
     service ServerReflection { rpc ServerReflectionInfo(stream Ask) returns (stream Told); }
     message Ask { string list_services = 7; }
     message Told { List list_services_response = 6; }
     message List { repeated Service service = 1; }
     message Service { string name = 1; }`,
      { keepCase: true },
    )
    .root.toJSON()
  const loaded = loadPackageDefinition(fromJSON(file, { keepCase: true })) as unknown as {
    grpc: { reflection: { v1: { ServerReflection: { service: ServiceDefinition } } } }
  }
  const definition = loaded.grpc.reflection.v1.ServerReflection.service
  const ask = (to: string) =>
    new Promise<string[] | string>((resolve) => {
      const client = clientOf(definition, to)
      const stream = client.ServerReflectionInfo?.()
      if (!stream) throw new Error('There is a stream.')
      stream.on('error', ({ details }: RpcError) => resolve(details))
      stream.on('data', (told: { list_services_response: { service: { name: string }[] } }) => {
        resolve(told.list_services_response.service.map(({ name }) => name))
        stream.end()
      })
      stream.on('close', () => client.close())
      stream.write({ list_services: '*' } as unknown as string)
    })
  assert.deepEqual(await ask(address), ['users.v1.UserService'])
  const closed = createServer()
  const port = await closed.listen('127.0.0.1', 0)
  assert.match(String(await ask(`127.0.0.1:${port}`)), /does not implement the method/)
  await closed.close()
})

test('what its caller no longer waits for is not begun', async () => {
  const { promise: verified, resolve } = Promise.withResolvers<string>()
  verify = () => verified
  const before = calls
  const deadline = Date.now() + 100
  const { error } = await call(clientOf(service), 'GetUser', { id: 'u1' }, deadline)
  assert.equal(error?.code, 4)
  // The server reckons from when the call came.
  await waitFor('the deadline at the server', async () => Date.now() > deadline + 500)
  resolve('orders')
  await verified
  verify = async () => 'orders'
  const { answer } = await call<{ id: string }>(clientOf(service), 'GetUser', { id: 'u2' })
  assert.deepEqual([answer?.id, calls], ['u2', before + 1])
})

test('a stop tells that it serves no longer, and does not wait for those who watch', async () => {
  const other = createServer()
  const port = await other.listen('127.0.0.1', 0)
  other.setServing(true)
  const client = clientOf(healthService, `127.0.0.1:${port}`)
  const watch = client.Watch?.({})
  if (!watch) throw new Error('There is a watch.')
  const seen: string[] = []
  const { promise: begun, resolve } = Promise.withResolvers<void>()
  watch.on('error', () => {})
  watch.on('data', ({ status }: { status: string }) => {
    seen.push(status)
    resolve()
  })
  await begun
  const started = performance.now()
  await other.close()
  // Less than it gives calls that are under way.
  assert.ok(performance.now() - started < 4_500)
  await waitFor('the end to be told', () => seen.length === 2)
  client.close()
  assert.deepEqual(seen, ['SERVING', 'NOT_SERVING'])
})
