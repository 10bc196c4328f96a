import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { importJWK, SignJWT } from 'jose'
import { request } from 'undici'
import { createPrincipalSigner, createServiceTokens, type PrivateKey } from '#platform/principal.ts'
import { type ServiceName, serviceNames } from '../../tools/services.ts'
import { type GraphQLResult, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

/** What the shop refuses: each with a code, and nothing reserved or half created. */
describe('refusals', () => {
  let stack: TestStack
  let token: string
  let product: string
  let other: string
  before(async () => {
    stack = await startTestStack()
    token = (await stack.signUp()).token
    ;[product = '', other = ''] = await stack.addProducts(5, 5)
  })
  after(() => stack.stop())

  const codes = ({ errors }: GraphQLResult) => errors.map(({ extensions }) => extensions.code)

  /** Runs an attempt and sees to it that it left nothing behind. */
  async function refused(attempt: () => Promise<GraphQLResult>, code: string, field?: string): Promise<GraphQLResult> {
    const trace = () =>
      Promise.all([
        stack.sql('products', 'SELECT id, available FROM products ORDER BY id'),
        stack.sql('products', "SELECT count(*) FROM reservations WHERE status = 'HELD'"),
        stack.sql('orders', 'SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM claims) AS claims'),
        stack.sql('users', 'SELECT count(*) FROM users'),
      ])
    const before = await trace()
    const result = await attempt()
    assert.deepEqual(codes(result), [code])
    if (field) assert.equal(result.errors[0]?.extensions.field, field)
    assert.deepEqual(await trace(), before)
    return result
  }

  describe('createOrder', () => {
    const order = (items: unknown, address?: object) => () =>
      stack.createOrder(token, items as object[], randomUUID(), address)
    const line = (quantity: unknown, productId = product) => ({ productId, quantity })

    test('an unknown product', async () => {
      await refused(order([line(1), line(1, randomUUID())]), 'NOT_FOUND', 'items.1.productId')
      await refused(order([line(1, 'not an id')]), 'NOT_FOUND', 'items.0.productId')
    })
    test('a quantity of 0, a negative one, one above 1000', async () => {
      for (const quantity of [0, -1, 1001]) await refused(order([line(quantity)]), 'BAD_USER_INPUT', 'items.0.quantity')
    })
    test('no line, over 100 lines, a product in two lines', async () => {
      await refused(order([]), 'BAD_USER_INPUT', 'items')
      await refused(order(Array.from({ length: 101 }, () => line(1, randomUUID()))), 'BAD_USER_INPUT', 'items')
      await refused(order([line(1), line(1, product.toUpperCase())]), 'BAD_USER_INPUT', 'items.1.productId')
    })
    test('not enough stock: all or none, and the items that are short are named', async () => {
      const { errors } = await refused(order([line(5), line(6, other)]), 'INSUFFICIENT_STOCK')
      assert.deepEqual(errors[0]?.extensions.items, [{ productId: other, requested: 6, available: 5 }])
    })
    test('wrong types', async () => {
      for (const quantity of ['1', 1.5, null, 2 ** 31, true, [1, 2]])
        await refused(order([line(quantity)]), 'BAD_USER_INPUT')
      await refused(order('x'), 'BAD_USER_INPUT')
    })
    test('an address that is none', async () => {
      await refused(order([line(1)], { country: 'XX' }), 'BAD_USER_INPUT', 'shippingAddress.country')
      await refused(order([line(1)], { city: '  ' }), 'BAD_USER_INPUT', 'shippingAddress.city')
      await refused(order([line(1)], { line1: 'a\u0000b' }), 'BAD_USER_INPUT', 'shippingAddress.line1')
      await refused(order([line(1)], { name: 'x'.repeat(101) }), 'BAD_USER_INPUT', 'shippingAddress.name')
    })
    test('a price from the client: the schema has no place for it', async () => {
      await refused(order([{ ...line(1), unitPrice: { amount: 1, currency: 'EUR' } }]), 'BAD_USER_INPUT')
    })
    test('an idempotency key that was used for another order', async () => {
      const [own = ''] = await stack.addProducts(5)
      const key = randomUUID()
      assert.deepEqual(codes(await stack.createOrder(token, [line(1, own)], key)), [])
      await refused(() => stack.createOrder(token, [line(2, own)], key), 'IDEMPOTENCY_KEY_REUSED')
    })
    test("another customer's key is another key", async () => {
      const [own = ''] = await stack.addProducts(5)
      const key = randomUUID()
      const [first, second] = [await stack.createOrder(token, [line(1, own)], key), await stack.signUp()]
      const theirs = await stack.createOrder(second.token, [line(1, own)], key)
      assert.notEqual(theirs.data.createOrder.order.id, first.data.createOrder.order.id)
    })
    test('a key whose order was refused is free again', async () => {
      const [own = ''] = await stack.addProducts(1)
      const key = randomUUID()
      await refused(() => stack.createOrder(token, [line(2, own)], key), 'INSUFFICIENT_STOCK')
      assert.deepEqual(codes(await stack.createOrder(token, [line(1, own)], key)), [])
    })
  })

  describe('callers', () => {
    test('no token', async () => {
      await refused(() => stack.createOrder(undefined, [{ productId: product, quantity: 1 }]), 'UNAUTHENTICATED')
      await refused(() => stack.graphql('{ me { name } }'), 'UNAUTHENTICATED')
    })
    test('a malformed and an expired token: 401', async () => {
      for (const bad of ['nonsense', 'a.b.c', await expiredToken()]) {
        const result = await refused(() => stack.graphql('{ me { name } }', {}, bad), 'UNAUTHENTICATED')
        assert.equal(result.status, 401)
      }
    })
    test("another's order and one that never was: the same words", async () => {
      const stranger = await stack.signUp()
      const { data } = await stack.createOrder(token, [{ productId: product, quantity: 1 }])
      const ask = (id: string) =>
        stack.graphql('query ($id: ID!) { order(id: $id) { number } }', { id }, stranger.token)
      const [theirs, nobodys] = [await ask(data.createOrder.order.id), await ask(randomUUID())]
      assert.deepEqual(theirs, nobodys)
      assert.deepEqual(codes(theirs), ['NOT_FOUND'])
    })
    test('headers that only the gateway may set have no effect', async () => {
      const forged = { 'x-principal': 'e30.e30.x', 'x-user-id': 'admin', 'x-forwarded-user': 'admin' }
      const result = await stack.post(stack.url, JSON.stringify({ query: '{ me { name } }' }), forged)
      assert.deepEqual(codes(result), ['UNAUTHENTICATED'])
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

  describe('direct calls', () => {
    test('GraphQL of a subgraph without a principal: 401', async () => {
      for (const service of serviceNames) {
        const result = await stack.post(stack.graphqlUrl(service), JSON.stringify({ query: '{ __typename }' }))
        assert.equal(result.status, 401)
        assert.deepEqual(codes(result), ['UNAUTHENTICATED'])
      }
    })
    test('gRPC without a service token: UNAUTHENTICATED; by a service that is not on the list: PERMISSION_DENIED', async () => {
      const calls = [
        { service: 'users', name: 'UserService', method: 'GetUser' },
        { service: 'products', name: 'ProductService', method: 'GetProducts' },
        { service: 'products', name: 'ProductService', method: 'ReserveStock' },
        { service: 'products', name: 'ProductService', method: 'ReleaseReservation' },
      ] as const
      const notifications = createServiceTokens({ key: stack.secrets.keys.notifications as PrivateKey })
      for (const { service, name, method } of calls) {
        const call = (token?: string) => grpcStatus(service, name, method, token)
        assert.equal(await call(), status.UNAUTHENTICATED)
        assert.equal(await call('nonsense'), status.UNAUTHENTICATED)
        assert.equal(await call(await notifications(service)), status.PERMISSION_DENIED)
      }
    })

    test("another's entity does not exist, whoever asks a subgraph for it", async () => {
      const owner = await stack.signUp()
      const { data } = await stack.createOrder(owner.token, [{ productId: product, quantity: 1 }])
      const { id: notification } = await waitFor('a notification', async () => {
        const query = 'SELECT id FROM notifications WHERE order_id = $1'
        return (await stack.sql('notifications', query, [data.createOrder.order.id]))[0]
      })
      const entities = [
        { service: 'users', __typename: 'User', id: owner.id, scope: 'users:read' },
        { service: 'orders', __typename: 'Order', id: data.createOrder.order.id, scope: 'orders:read' },
        { service: 'notifications', __typename: 'Notification', id: notification, scope: undefined },
      ] as const
      for (const { service, __typename, id, scope } of entities) {
        const ask = (sub: string | null, scopes: readonly string[] = [], key = id) =>
          askAs({ sub, scopes }, service, __typename, key)
        const nobodys = await ask(randomUUID(), [], randomUUID())
        assert.deepEqual(codes(nobodys), ['NOT_FOUND'], service)
        assert.deepEqual(await ask(randomUUID()), nobodys, `a stranger asks ${service}`)
        assert.deepEqual(await ask(null), nobodys, `nobody asks ${service}`)
        assert.deepEqual((await ask(owner.id)).data, { _entities: [{ createdAt: await createdAt(service, id) }] })
        const privileged = await ask(randomUUID(), ['users:read', 'orders:read', 'users:write', 'orders:fulfil'])
        if (scope) assert.deepEqual(await ask(randomUUID(), [scope]), privileged)
        assert.deepEqual(codes(privileged), scope ? [] : ['NOT_FOUND'], `support asks ${service}`)
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

    function grpcStatus(
      service: 'users' | 'products',
      name: string,
      method: string,
      token?: string,
    ): Promise<number | undefined> {
      const file = fileURLToPath(new URL(`../../contracts/${service}.proto`, import.meta.url))
      // biome-ignore lint/suspicious/noExplicitAny: a client as any outsider could make one.
      const loaded = loadPackageDefinition(loadSync(file)) as any
      const client = new loaded[service].v1[name](
        `127.0.0.1:${stack.ports[service].grpc}`,
        credentials.createInsecure(),
      )
      const metadata = new Metadata()
      if (token) metadata.set('authorization', `Bearer ${token}`)
      return new Promise((resolve) => {
        client[method]({}, metadata, (error: { code: number } | null) => {
          client.close()
          resolve(error?.code)
        })
      })
    }
  })

  describe('accounts', () => {
    const register = (input: object) => () =>
      stack.graphql('mutation ($input: RegisterInput!) { register(input: $input) { user { email } } }', { input })
    const account = (email: string) => ({ name: 'Eve', email, password: 'correct horse' })

    test('an address that has an account, in any case and with spaces around it', async () => {
      const { email } = await stack.signUp()
      for (const same of [email, email.toUpperCase(), `  ${email}\t`])
        await refused(register(account(same)), 'EMAIL_TAKEN')
    })
    test('20 registrations of one address at once make one account', async () => {
      const email = `${randomUUID()}@example.com`
      const results = await Promise.all(Array.from({ length: 20 }, register(account(email))))
      assert.deepEqual(results.flatMap(codes), Array(19).fill('EMAIL_TAKEN'))
      const [{ count }] = await stack.sql('users', 'SELECT count(*)::int FROM users WHERE email = $1', [email])
      assert.equal(count, 1)
    })
    test('names, addresses, passwords and locales that break a rule', async () => {
      const email = () => `${randomUUID()}@example.com`
      await refused(register({ ...account(email()), name: ' ' }), 'BAD_USER_INPUT', 'name')
      await refused(register({ ...account(email()), password: 'short' }), 'BAD_USER_INPUT', 'password')
      await refused(register({ ...account(email()), locale: 'not a locale' }), 'BAD_USER_INPUT', 'locale')
      for (const bad of [
        '',
        'x',
        'x@',
        '@x.de',
        'a b@x.de',
        'a@x',
        'a@x..de',
        `${'a'.repeat(250)}@x.de`,
        'a\u0000@x.de',
      ]) {
        await refused(register(account(bad)), 'BAD_USER_INPUT', 'email')
      }
    })
    test('wrong credentials: the same words for a wrong password and an unknown address', async () => {
      const { email } = await stack.signUp()
      const login = (input: object) => () =>
        stack.graphql('mutation ($input: LoginInput!) { login(input: $input) { accessToken } }', { input })
      const wrong = await refused(login({ email, password: 'wrong' }), 'INVALID_CREDENTIALS')
      const unknown = await refused(login({ email: 'nobody@example.com', password: 'wrong' }), 'INVALID_CREDENTIALS')
      assert.deepEqual(wrong.errors, unknown.errors)
      await refused(login({ email: 'a\u0000@example.com', password: 'wrong' }), 'BAD_USER_INPUT')
    })
  })

  describe('queries', () => {
    test('what is not there, cannot be, or is asked for in pages that are none', async () => {
      await refused(() => stack.graphql('{ product(id: "x") { id } }'), 'NOT_FOUND')
      await refused(() => stack.graphql(`{ product(id: "${randomUUID()}") { id } }`), 'NOT_FOUND')
      await refused(() => stack.graphql('{ productBySku(sku: "none") { id } }'), 'NOT_FOUND')
      await refused(() => stack.graphql('{ productBySku(sku: "\\u0000") { id } }'), 'BAD_USER_INPUT')
      for (const first of [0, -1, 101]) {
        await refused(
          () => stack.graphql(`{ products(first: ${first}) { edges { cursor } } }`),
          'BAD_USER_INPUT',
          'first',
        )
      }
      await refused(() => stack.graphql('{ products(after: "x") { edges { cursor } } }'), 'BAD_USER_INPUT', 'after')
    })
  })

  describe('requests', () => {
    const send = (body: string, headers?: Record<string, string>) => stack.post(stack.url, body, headers)

    test('a body that is too large', async () => {
      const result = await send(JSON.stringify({ query: `{ me { name } } #${'x'.repeat(300_000)}` }))
      assert.deepEqual([result.status, ...codes(result)], [413, 'PAYLOAD_TOO_LARGE'])
    })
    test('a body that is not JSON, or not a request', async () => {
      for (const body of ['', '{', 'null', '[]', '1', '"x"', '{}', '{"query":1}', '{"query":"{a}","variables":"x"}']) {
        const result = await send(body)
        assert.equal(result.status, 400, body)
        assert.match(codes(result).join(), /^BAD_REQUEST$/, body)
      }
    })
    test('an operation that is not GraphQL, or not of this graph', async () => {
      assert.deepEqual(codes(await send('{"query":"{"}')), ['GRAPHQL_PARSE_FAILED'])
      assert.deepEqual(codes(await send('{"query":"{ nothing }"}')), ['GRAPHQL_VALIDATION_FAILED'])
      assert.deepEqual(codes(await send('{"query":"query A { me { id } } query B { me { id } }"}')), [
        'OPERATION_RESOLUTION_FAILURE',
      ])
    })
    test('another media type', async () => {
      const result = await send('<x/>', { 'content-type': 'application/xml' })
      assert.deepEqual([result.status, ...codes(result)], [415, 'BAD_REQUEST'])
    })
    test('a page from an origin that is not allowed gets no permission, Sandbox does', async () => {
      const preflight = async (origin: string) => {
        const { headers } = await request(stack.url, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'content-type',
          },
        })
        return headers['access-control-allow-origin']
      }
      assert.equal(await preflight('https://studio.apollographql.com'), 'https://studio.apollographql.com')
      assert.equal(await preflight('https://evil.example'), undefined)
    })
    test('the request id of the client comes back; one that cannot stand in a log is replaced', async () => {
      const idFor = async (id: string) => {
        const { headers, body } = await request(stack.url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-request-id': id },
          body: '{"query":"{__typename}"}',
        })
        await body.dump()
        return headers['x-request-id']
      }
      assert.equal(await idFor('abc-1'), 'abc-1')
      assert.match(String(await idFor('x'.repeat(500))), /^[0-9a-f-]{36}$/)
    })
    test('a browser gets the page of Apollo Sandbox', async () => {
      const { statusCode, headers, body } = await request(stack.url, { headers: { accept: 'text/html' } })
      assert.equal(statusCode, 200)
      assert.match(String(headers['content-type']), /html/)
      assert.match(await body.text(), /sandbox/i)
    })
  })
})
