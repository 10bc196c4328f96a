import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery } from 'graphql'
import { Agent, type Dispatcher, request } from 'undici'
import { isErrorCode } from '#platform/errors.ts'
import { runGateway } from '../infra/gateway.ts'
import type { Drill } from './drill.ts'
import { type FuzzRequest, requestsFor } from './fuzz-requests.ts'

/** Requests that are under way at once, each on a connection of its own. */
const width = 16
/** What the gateway may answer, whatever it is sent. Every failure of a subgraph is a 200 with errors. */
const statuses = new Set([200, 204, 400, 403, 405, 406, 413, 415])

export const fuzz: Drill = {
  summary: 'requests made at random: each answered in the shape of GraphQL, none with a failure of ours',
  async run({ short, print, seed = Math.floor(Math.random() * 2 ** 31) }) {
    const requests = short ? 1_500 : 50_000
    print(`seed ${seed}: npm run drill -- fuzz ${seed} makes the same requests again`)
    const subgraphs = await startSubgraphs()
    const gateway = await startGateway(subgraphs.url)
    const agent = new Agent({ connections: width, pipelining: 1, headersTimeout: 20_000 })
    const seen = new Map<number, number>()
    try {
      const send = async ({ method, path, headers, body }: FuzzRequest) => {
        const options = { dispatcher: agent, method: method as Dispatcher.HttpMethod, headers, body }
        const response = await request(`${gateway.url}${path}`, options)
        const text = await response.body.text()
        seen.set(response.statusCode, (seen.get(response.statusCode) ?? 0) + 1)
        return { status: response.statusCode, headers: response.headers, text }
      }
      const introspection = await send(post(getIntrospectionQuery()))
      const schema = buildClientSchema(JSON.parse(introspection.text).data as IntrospectionQuery)
      const property = fc.asyncProperty(requestsFor(schema), async (asked) => check(asked, await send(asked)))
      const started = performance.now()
      await Promise.all(
        Array.from({ length: width }, (_, n) =>
          fc.assert(property, { seed: seed + n, numRuns: Math.ceil(requests / width), endOnFailure: short }),
        ),
      )
      const seconds = ((performance.now() - started) / 1_000).toFixed(1)
      const counts = [...seen].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
      print(`${requests} requests in ${seconds} s, answered ${counts.join(', ')}`)
      const alive = await send(post('{ __typename }'))
      assert.deepEqual(JSON.parse(alive.text).data, { __typename: 'Query' })
    } catch (error) {
      print(gateway.output().slice(-4_000))
      throw error
    } finally {
      await agent.close()
      const code = await gateway.stop()
      await subgraphs.stop()
      assert.equal(code, 0, `the gateway ran to the end: ${gateway.output().slice(-4_000)}`)
    }
  },
}

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string }

function check({ method, headers: sent }: FuzzRequest, { status, headers, text }: Answer): void {
  assert.ok(statuses.has(status), `status ${status}: ${text.slice(0, 300)}`)
  const type = String(headers['content-type'] ?? '')
  if (type.startsWith('text/html')) {
    assert.match(sent.accept ?? '', /html/)
    return
  }
  if (status === 204) {
    assert.deepEqual([method, text], ['OPTIONS', ''])
    return
  }
  assert.match(type, /^application\/(graphql-response\+)?json; charset=utf-8$/)
  assert.match(String(headers['x-request-id']), /^[\w.-]{1,128}$/)
  assert.doesNotMatch(text, /\bat .+:\d+:\d+\)?|node_modules|file:\/\//)
  const body: unknown = JSON.parse(text)
  for (const part of Array.isArray(body) ? body : [body]) checkResponse(part, status)
}

/** https://spec.graphql.org/draft/#sec-Response-Format */
function checkResponse(response: Record<string, unknown>, status: number): void {
  const { data, errors, extensions, ...rest } = response
  assert.deepEqual(rest, {})
  assert.ok(data !== undefined || errors !== undefined, 'data or errors')
  if (status !== 200) assert.equal(data, undefined, 'a request error has no data')
  assert.ok(extensions === undefined || (typeof extensions === 'object' && extensions !== null))
  if (errors === undefined) return
  assert.ok(Array.isArray(errors) && errors.length > 0, 'errors are not empty')
  for (const { message, extensions } of errors) {
    assert.equal(typeof message, 'string')
    assert.ok(isErrorCode(extensions?.code), `a code of ours: ${JSON.stringify(extensions)}`)
  }
}

function post(query: string): FuzzRequest {
  return {
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ query })),
  }
}

/** What subgraphs say, in turns: mostly an answer that fits nothing, now and then none. */
const sayings = [
  ...[
    '{"data":null}',
    '{"data":{}}',
    '{"data":{"me":null,"products":{"edges":[]}}}',
    '{"data":{"me":{"id":1,"name":[]}}}',
  ],
  ...[
    '{"errors":[{"message":"x","extensions":{"code":"NOT_FOUND"}}]}',
    '{"errors":[]}',
    '{"errors":[null]}',
    '[]',
    'null',
  ],
  ...['{"data":{"_entities":[null]}}', '{"data":{"_entities":"x"}}', '<html>', ''],
]

/** One server for all subgraphs, which knows nothing. */
async function startSubgraphs() {
  let asked = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const saying = sayings[asked++ % sayings.length]
      response.setHeader('content-type', 'application/json').end(saying)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A gateway of its own, over the shop's supergraph. */
async function startGateway(subgraph: string) {
  const urls = ['USERS', 'PRODUCTS', 'ORDERS', 'NOTIFICATIONS'].map((name) => [`${name}_URLS`, subgraph])
  const gateway = await runGateway({ RATE_LIMITS: 'off', AUDIT_LOG: '/dev/null', ...Object.fromEntries(urls) })
  assert.equal(gateway.code, 'ready', gateway.output())
  return gateway
}
