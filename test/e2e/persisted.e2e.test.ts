import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { runGateway, startForeignGraph, type TestGateway } from '../infra/gateway.ts'
import { redisUrl } from '../infra/parts.ts'

/** Operations that clients name instead of sending them, and gateways that answer no others. */

const recorded = 'query Recorded {\n  a\n}\n'
const other = '{ a __typename }'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const byHash = (text: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: sha256(text) } } })

let graph: Awaited<ReturnType<typeof startForeignGraph>>
let folder: string
const started: TestGateway[] = []
before(async () => {
  const resolvers = { Query: { a: () => 1 } }
  graph = await startForeignGraph({ things: { sdl: 'type Query { a: Int } type Mutation { b: Int }', resolvers } })
  folder = await mkdtemp(join(tmpdir(), 'operations-'))
  await mkdir(join(folder, 'web'))
  await writeFile(join(folder, 'web', 'Recorded.graphql'), recorded)
})
after(async () => {
  await Promise.all(started.map((gateway) => gateway.stop()))
  await graph.stop()
  await rm(folder, { recursive: true })
})

async function gatewayWith(env: Record<string, string>): Promise<TestGateway> {
  const SUPERGRAPH_FILE = await graph.supergraph()
  const gateway = await runGateway({ SUPERGRAPH_FILE, OPERATIONS_FOLDER: folder, RATE_LIMITS: 'off', ...env })
  assert.equal(gateway.code, 'ready', gateway.output())
  started.push(gateway)
  return gateway
}

/** The value of `a`, or the status and code of the refusal. */
async function ask(gateway: TestGateway, params: object): Promise<unknown> {
  const { statusCode, body } = await request(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(params),
  })
  const { data, errors } = (await body.json()) as { data?: { a: number }; errors?: { extensions: { code: string } }[] }
  return data?.a ?? `${statusCode} ${errors?.[0]?.extensions.code}`
}

const notFound = '400 PERSISTED_QUERY_NOT_FOUND'
const refused = '403 QUERY_NOT_IN_SAFELIST'
/** What is asked, and how each mode answers. */
const cases: Record<string, [params: object, answers: { open: unknown; audit: unknown; safelist: unknown }]> = {
  'a recorded operation by its id': [{ documentId: 'web/Recorded' }, { open: 1, audit: 1, safelist: 1 }],
  'by its hash as a document id': [{ documentId: `sha256:${sha256(recorded)}` }, { open: 1, audit: 1, safelist: 1 }],
  'by its hash as a persisted query': [byHash(recorded), { open: 1, audit: 1, safelist: 1 }],
  'by its text': [{ query: recorded }, { open: 1, audit: 1, safelist: 1 }],
  'by its text, laid out in another way': [
    { query: 'query Recorded { a } # the same' },
    { open: 1, audit: 1, safelist: 1 },
  ],
  'by its text with its hash': [
    { query: recorded, ...byHash(recorded) },
    { open: 1, audit: 1, safelist: 1 },
  ],
  'a changed text': [{ query: 'query Recorded { a __typename }' }, { open: 1, audit: 1, safelist: refused }],
  'another text with its hash': [
    { query: other, ...byHash(other) },
    { open: 1, audit: 1, safelist: refused },
  ],
  'that hash alone, afterwards': [byHash(other), { open: 1, audit: 1, safelist: notFound }],
  'a hash that nobody knows': [byHash('{ nothing }'), { open: notFound, audit: notFound, safelist: notFound }],
  'an id that nobody knows': [{ documentId: 'web/Other' }, { open: notFound, audit: notFound, safelist: notFound }],
  'a text under the hash of another': [
    { query: other, ...byHash(recorded) },
    { open: '400 BAD_REQUEST', audit: '400 BAD_REQUEST', safelist: '400 BAD_REQUEST' },
  ],
  'no text that could be recorded': [
    { query: '"' },
    { open: '400 GRAPHQL_PARSE_FAILED', audit: '400 GRAPHQL_PARSE_FAILED', safelist: refused },
  ],
}

for (const mode of ['open', 'audit', 'safelist'] as const) {
  test(`OPERATIONS=${mode}`, async (t) => {
    const gateway = await gatewayWith({ OPERATIONS: mode })
    for (const [name, [params, answers]] of Object.entries(cases)) {
      await t.test(name, async () => assert.equal(await ask(gateway, params), answers[mode]))
    }
    const logged = gateway.output().match(/operation is not recorded/g)?.length ?? 0
    assert.equal(logged, mode === 'audit' ? 3 : 0)
  })
}

describe('automatic persisted queries', () => {
  test('are refused where they are switched off, but for recorded operations', async () => {
    const gateway = await gatewayWith({ PERSISTED_QUERIES: 'off' })
    assert.equal(await ask(gateway, byHash(other)), '400 PERSISTED_QUERY_NOT_SUPPORTED')
    assert.equal(await ask(gateway, byHash(recorded)), 1)
  })
  test('are kept only when they are valid', async () => {
    const gateway = await gatewayWith({})
    assert.equal(
      await ask(gateway, { query: '{ nothing }', ...byHash('{ nothing }') }),
      '400 GRAPHQL_VALIDATION_FAILED',
    )
    assert.equal(await ask(gateway, byHash('{ nothing }')), notFound)
  })
  test('are known to all gateways of one Redis', { skip: !redisUrl() && 'there is no Redis' }, async () => {
    const env = { REDIS_URL: redisUrl() ?? '', REDIS_PREFIX: `${randomUUID()}:` }
    const [one, two] = await Promise.all([gatewayWith(env), gatewayWith(env)])
    assert.equal(await ask(two, byHash(other)), notFound)
    assert.equal(await ask(one, { query: other, ...byHash(other) }), 1)
    assert.equal(await ask(two, byHash(other)), 1)
  })
})
