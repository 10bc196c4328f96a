import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { importJWK, SignJWT } from 'jose'
import { createPrincipalSigner, createServiceTokens, type PrivateKey } from '#platform/principal.ts'
import { type ServiceName, serviceNames } from '../../tools/services.ts'
import { processNames } from '../../tools/stack.ts'
import { everyRpc } from '../infra/grpc.ts'
import { type GraphQLResult, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { codesOf, refused } from './refused.ts'

/** Who is answered, and who is not. */

let stack: TestStack
let token: string
let product: string
before(async () => {
  stack = await startTestStack()
  token = (await stack.signUp()).token
  ;[product = ''] = await stack.addProducts(5)
})
after(() => stack.stop())

describe('callers', () => {
  test('no token', async () => {
    await refused(stack, () => stack.createOrder(undefined, [{ productId: product, quantity: 1 }]), 'UNAUTHENTICATED')
    await refused(stack, () => stack.graphql('{ me { name } }'), 'UNAUTHENTICATED')
  })
  test('a malformed and an expired token: 401', async () => {
    for (const bad of ['nonsense', 'a.b.c', await expiredToken()]) {
      const result = await refused(stack, () => stack.graphql('{ me { name } }', {}, bad), 'UNAUTHENTICATED')
      assert.equal(result.status, 401)
    }
  })
  test("another's order and one that never was: the same words", async () => {
    const stranger = await stack.signUp()
    const { data } = await stack.createOrder(token, [{ productId: product, quantity: 1 }])
    const ask = (id: string) => stack.graphql('query ($id: ID!) { order(id: $id) { number } }', { id }, stranger.token)
    const [theirs, nobodys] = [await ask(data.createOrder.order.id), await ask(randomUUID())]
    assert.deepEqual(theirs, nobodys)
    assert.deepEqual(codesOf(theirs), ['NOT_FOUND'])
  })
  test('headers that only the gateway may set have no effect', async () => {
    const forged = { 'x-principal': 'e30.e30.x', 'x-user-id': 'admin', 'x-forwarded-user': 'admin' }
    const result = await stack.post(stack.url, JSON.stringify({ query: '{ me { name } }' }), forged)
    assert.deepEqual(codesOf(result), ['UNAUTHENTICATED'])
  })

  test('what is refused is in the audit log: who, what, when and from where, and no token', async () => {
    const before = stack.audited().length
    await stack.graphql('{ me { id } }', {}, 'a.forged.token')
    await stack.graphql(
      'mutation { createOrder(input: { items: [], shippingAddress: { name: "", line1: "", city: "", postalCode: "", country: "" }, idempotencyKey: "k" }) { order { id } } }',
    )
    const entries = stack.audited().slice(before)
    const brief = entries.map(({ service, action, actor, address, detail }) => ({
      service,
      action,
      actor,
      address,
      detail,
    }))
    const from = { service: 'gateway', actor: null, address: '127.0.0.1' }
    assert.deepEqual(brief, [
      { ...from, action: 'token.refused', detail: { reason: 'The access token is not valid.' } },
      { ...from, action: 'access.refused', detail: { code: 'UNAUTHENTICATED', fields: ['Mutation.createOrder'] } },
    ])
    for (const { time, requestId } of entries) assert.ok(time && requestId !== undefined)
    assert.doesNotMatch(JSON.stringify(entries), /forged/)
  })

  async function expiredToken(): Promise<string> {
    const [{ kid, private_jwk }] = await stack.sql('users', 'SELECT kid, private_jwk FROM signing_keys')
    const now = Math.floor(Date.now() / 1000)
    return new SignJWT({ sid: 's', scope: '' })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
      .setIssuer('commerce-users')
      .setAudience('commerce-graph')
      .setSubject(randomUUID())
      .setJti('j')
      .setIssuedAt(now - 1000)
      .setExpirationTime(now - 100)
      .sign(await importJWK(private_jwk, 'EdDSA'))
  }
})

/** Who may call which RPC. */
const callers: Record<string, string[]> = {
  GetUser: ['notifications', 'orders'],
  GetUsers: ['notifications', 'orders'],
  CreateUser: ['gateway'],
  UpdateUser: ['gateway'],
  Login: ['gateway'],
  ValidateToken: ['gateway'],
  GetProduct: ['notifications', 'orders'],
  GetProducts: ['orders'],
  GetOrder: ['notifications', 'payments'],
  ListOrders: ['notifications', 'payments'],
  CreateOrder: ['gateway'],
  UpdateOrderStatus: ['gateway'],
  CancelOrder: ['gateway'],
  GetPayment: ['notifications', 'orders'],
  ListByOrder: ['notifications', 'orders'],
  ReserveStock: ['orders'],
  CommitReservation: ['orders'],
  ReleaseReservation: ['orders'],
  UpdateStock: ['orders'],
  SendCode: ['users'],
}

describe('direct calls', () => {
  test('GraphQL of a subgraph without a principal: 401', async () => {
    for (const service of serviceNames) {
      const result = await stack.post(stack.graphqlUrl(service), JSON.stringify({ query: '{ __typename }' }))
      assert.equal(result.status, 401)
      assert.deepEqual(codesOf(result), ['UNAUTHENTICATED'])
    }
  })
  test('gRPC without a service token: UNAUTHENTICATED; by a service that is not on the list: PERMISSION_DENIED', async () => {
    for (const rpc of everyRpc()) {
      const call = (token?: string) => rpc.call(`127.0.0.1:${stack.ports[rpc.service].grpc}`, token)
      assert.equal(await call(), 'UNAUTHENTICATED')
      assert.equal(await call('nonsense'), 'UNAUTHENTICATED')
      const admitted: string[] = []
      for (const name of processNames) {
        const serviceToken = createServiceTokens({ key: stack.secrets.keys[name] as PrivateKey })
        if ((await call(await serviceToken(rpc.service))) !== 'PERMISSION_DENIED') admitted.push(name)
      }
      assert.deepEqual(admitted.sort(), callers[rpc.name], rpc.name)
    }
  })

  test("another's entity does not exist, whoever asks a subgraph for it", async () => {
    const owner = await stack.signUp()
    const { data } = await stack.createOrder(owner.token, [{ productId: product, quantity: 1 }])
    const payment = await stack.payOrder(owner.token, data.createOrder.order.id)
    const { id: notification } = await waitFor('a notification', async () => {
      const query = 'SELECT id FROM notifications WHERE order_id = $1'
      return (await stack.sql('notifications', query, [data.createOrder.order.id]))[0]
    })
    const entities = [
      { service: 'users', __typename: 'User', id: owner.id, scope: 'users:read' },
      { service: 'orders', __typename: 'Order', id: data.createOrder.order.id, scope: 'orders:read' },
      { service: 'payments', __typename: 'Payment', id: payment, scope: 'orders:read' },
      { service: 'notifications', __typename: 'Notification', id: notification, scope: undefined },
    ] as const
    for (const { service, __typename, id, scope } of entities) {
      const ask = (sub: string | null, scopes: readonly string[] = [], key = id) =>
        askAs({ sub, scopes }, service, __typename, key)
      const nobodys = await ask(randomUUID(), [], randomUUID())
      assert.deepEqual(codesOf(nobodys), ['NOT_FOUND'], service)
      assert.deepEqual(await ask(randomUUID()), nobodys, `a stranger asks ${service}`)
      assert.deepEqual(await ask(null), nobodys, `nobody asks ${service}`)
      assert.deepEqual((await ask(owner.id)).data, { _entities: [{ createdAt: await createdAt(service, id) }] })
      const privileged = await ask(randomUUID(), ['users:read', 'orders:read', 'users:write', 'orders:fulfil'])
      if (scope) assert.deepEqual(await ask(randomUUID(), [scope]), privileged)
      assert.deepEqual(codesOf(privileged), scope ? [] : ['NOT_FOUND'], `support asks ${service}`)
    }
  })

  async function createdAt(service: ServiceName, id: string): Promise<string> {
    const [row] = await stack.sql(service, `SELECT created_at FROM ${service} WHERE id = $1`, [id])
    return row.created_at.toISOString()
  }

  /** Asks a subgraph for an entity, with a principal that the gateway's key signed. */
  async function askAs(
    caller: { sub: string | null; scopes: readonly string[] },
    service: ServiceName,
    __typename: string,
    id: string,
  ): Promise<GraphQLResult> {
    const sign = createPrincipalSigner({ key: stack.secrets.keys.gateway as PrivateKey })
    const principal = await sign({ ...caller, sid: null, anonymous: caller.sub === null, address: null })
    const query = `query ($representations: [_Any!]!) {
      _entities(representations: $representations) { ... on ${__typename} { createdAt } }
    }`
    const body = JSON.stringify({ query, variables: { representations: [{ __typename, id }] } })
    return stack.post(stack.graphqlUrl(service), body, { 'x-principal': principal })
  }
})
