import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runGateway, startForeignGraph } from '../infra/gateway.ts'

const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])'

/** Two subgraphs that know nothing of this shop. */
const foreign = {
  planets: {
    sdl: `${link}
      type Query { planets: [Planet!]! fails: Int }
      type Planet @key(fields: "id") { id: ID! name: String! }`,
    resolvers: {
      Query: {
        planets: () => [
          { id: '3', name: 'Earth' },
          { id: '4', name: 'Mars' },
        ],
        fails: () => {
          throw new Error('at db.internal')
        },
      },
    },
  },
  moons: {
    sdl: `${link} type Planet @key(fields: "id") { id: ID! moons: [String!]! }`,
    resolvers: {
      Planet: { moons: ({ id }: { id: string }) => (id === '4' ? ['Phobos', 'Deimos'] : ['Moon']) },
    },
  },
}

describe('the gateway alone, on a foreign supergraph', () => {
  let graph: Awaited<ReturnType<typeof startForeignGraph>>
  before(async () => {
    graph = await startForeignGraph(foreign)
  })
  after(() => graph.stop())

  test('it answers over the subgraphs of the file, with SUPERGRAPH_FILE and PORT alone', async () => {
    const gateway = await runGateway({ SUPERGRAPH_FILE: await graph.supergraph() })
    assert.equal(gateway.code, 'ready', gateway.output())
    assert.deepEqual(await gateway.query('{ planets { name moons } }'), {
      data: {
        planets: [
          { name: 'Earth', moons: ['Moon'] },
          { name: 'Mars', moons: ['Phobos', 'Deimos'] },
        ],
      },
    })
    const failed = await gateway.query('{ fails planets { name } }')
    assert.doesNotMatch(JSON.stringify(failed), /db\.internal/)
    assert.equal(await gateway.stop(), 0)
  })

  test('subgraphs get the trace of the client, and no other header of it', async () => {
    const gateway = await runGateway({ SUPERGRAPH_FILE: await graph.supergraph(), CLIENT_TRACES: 'trust' })
    const trace = 'c0ffee00c0ffee00c0ffee00c0ffee00'
    const traceparent = `00-${trace}-00f067aa0ba902b7-ff`
    const untold = { baggage: 'secret=1', cookie: 'a=b', 'x-principal': 'forged', 'x-b3-traceid': trace }
    await gateway.query('{ planets { moons } }', { ...untold, traceparent, tracestate: ['foo=1, bar=2', '', 'baz=3'] })
    const [planets = {}, moons = {}] = [graph.received.get('planets'), graph.received.get('moons')]
    for (const headers of [planets, moons]) {
      assert.match(String(headers.traceparent), new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`))
      assert.equal(headers.tracestate, 'foo=1,bar=2,baz=3')
      for (const name of Object.keys(untold)) assert.equal(headers[name], undefined, name)
    }
    await gateway.query('{ planets { moons } }', { traceparent: [traceparent, traceparent], tracestate: 'foo=1' })
    const restarted = graph.received.get('planets') ?? {}
    assert.match(String(restarted.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    assert.ok(!restarted.traceparent?.includes(trace))
    assert.equal(restarted.tracestate, undefined)
    await gateway.stop()
  })

  test('a client is believed no more of its trace than a setting says: by default not that it is recorded', async () => {
    const trace = 'c0ffee00c0ffee00c0ffee00c0ffee00'
    const passed = {
      continue: `^00-${trace}-.{16}-00$`,
      trust: `^00-${trace}-.{16}-01$`,
      restart: `^00-(?!${trace}).{32}-.{16}-00$`,
    }
    for (const [CLIENT_TRACES, shape] of Object.entries({ ...passed, '': passed.continue })) {
      const gateway = await runGateway({ SUPERGRAPH_FILE: await graph.supergraph(), CLIENT_TRACES })
      await gateway.query('{ planets { name } }', { traceparent: `00-${trace}-00f067aa0ba902b7-01` })
      assert.match(String(graph.received.get('planets')?.traceparent), new RegExp(shape), CLIENT_TRACES)
      await gateway.stop()
    }
  })

  test('subgraphs get the headers that a setting names, as the client sent them', async () => {
    const gateway = await runGateway({
      SUPERGRAPH_FILE: await graph.supergraph(),
      FORWARD_HEADERS: 'Accept-Language,x-a',
    })
    await gateway.query('{ planets { name } }', { 'accept-language': 'de', 'x-b': 'no' })
    await gateway.stop()
    const { 'accept-language': language, 'x-a': absent, 'x-b': unnamed } = graph.received.get('planets') ?? {}
    assert.deepEqual([language, absent, unnamed], ['de', undefined, undefined])
  })

  test('the time that a request has begins when all of it is there', async () => {
    const gateway = await runGateway({ SUPERGRAPH_FILE: await graph.supergraph(), REQUEST_TIMEOUT: '3000' })
    const headers = { 'content-type': 'application/json' }
    const slow = request(`${gateway.url}/graphql`, { method: 'POST', headers })
    slow.flushHeaders()
    // Longer than the request itself may take.
    await sleep(3_500)
    slow.end(JSON.stringify({ query: '{ planets { name } }' }))
    const [answer] = (await once(slow, 'response')) as [IncomingMessage]
    assert.deepEqual(await json(answer), { data: { planets: [{ name: 'Earth' }, { name: 'Mars' }] } })
    await gateway.stop()
  })

  test('it does not start on a supergraph whose security it would not enforce', async () => {
    const secured = await graph.supergraph((sdl) =>
      sdl.replace(
        '@link(url: "https://specs.apollo.dev/link/v1.0")',
        '$& @link(url: "https://specs.example.com/confidential/v0.1", for: SECURITY)',
      ),
    )
    const gateway = await runGateway({ SUPERGRAPH_FILE: secured })
    assert.equal(gateway.code, 1)
    assert.match(gateway.output(), /security features that this gateway does not enforce: .*confidential v0\.1/)
  })

  test('it enforces the access rules of the supergraph', async () => {
    const authenticated = '@link(url: "https://specs.apollo.dev/authenticated/v0.1", as: "signedIn", for: SECURITY)'
    const secured = await graph.supergraph((sdl) =>
      sdl
        .replace('@link(url: "https://specs.apollo.dev/link/v1.0")', `$& ${authenticated}`)
        .replace(/directive @link/, 'directive @signedIn on FIELD_DEFINITION | OBJECT\n$&')
        .replace(/moons: \[String!\]!/, 'moons: [String!] @signedIn'),
    )
    const gateway = await runGateway({ SUPERGRAPH_FILE: secured })
    assert.equal(gateway.code, 'ready', gateway.output())
    const { data, errors } = (await gateway.query('{ planets { name moons } }')) as {
      data: unknown
      errors: { path: unknown; extensions: { code: string } }[]
    }
    await gateway.stop()
    assert.deepEqual(data, {
      planets: [
        { name: 'Earth', moons: null },
        { name: 'Mars', moons: null },
      ],
    })
    const refused = (index: number) => [['planets', index, 'moons'], 'UNAUTHENTICATED']
    assert.deepEqual(
      errors.map(({ path, extensions }) => [path, extensions.code]),
      [refused(0), refused(1)],
    )
  })

  test('in production it starts only when authentication is set up, or said not to be meant', async () => {
    const SUPERGRAPH_FILE = await graph.supergraph()
    const refused = await runGateway({ SUPERGRAPH_FILE, NODE_ENV: 'production', BODY_LIMIT: 'x' })
    assert.equal(refused.code, 1)
    assert.match(refused.output(), /BODY_LIMIT: [^\n]+\n {2}JWKS_URL: is not set[^\n]+\n {2}REDIS_URL: is not set/)
    const gateway = await runGateway({
      SUPERGRAPH_FILE,
      NODE_ENV: 'production',
      AUTH: 'none',
      REDIS_URL: 'redis://127.0.0.1:1',
    })
    assert.equal(gateway.code, 'ready', gateway.output())
    const introspection = await gateway.query('{ __schema { queryType { name } } }')
    await gateway.stop()
    assert.match(JSON.stringify(introspection), /GRAPHQL_VALIDATION_FAILED/)
    assert.equal(Object.hasOwn(introspection as object, 'data'), false)
  })
})
