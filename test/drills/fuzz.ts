import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { runGateway, startForeignGraph } from '../infra/gateway.ts'
import type { Drill } from './drill.ts'
import { generated } from './fuzz-requests.ts'
import { createWire, faultOf } from './fuzz-wire.ts'

const count = { short: 2_000, full: 50_000 }
const batch = 1_000
const concurrency = 48

const sdl = `
  type Query { me: User users(first: Int = 10, filter: Filter, kind: Kind): [User!] fails: Int! }
  type Mutation { rename(id: ID!, name: String!): User }
  type User { id: ID! name: String! age: Int tags: [String!]! friends: [User!]! }
  input Filter { name: String ages: [Int!] not: Filter }
  enum Kind { NEW OLD }`
const user = { id: '1', name: 'Ada', age: 36, tags: ['a', 'b'] }
const friendly = { ...user, friends: () => [{ ...user, friends: [] }] }
const resolvers = {
  Query: {
    me: () => friendly,
    users: () => [friendly, friendly],
    fails: () => {
      throw new Error('no')
    },
  },
  Mutation: { rename: () => friendly },
}

export const fuzz: Drill = {
  summary: 'generated requests: structures, bytes and headers, of which none may be answered by a failure',
  async run({ short, print }) {
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)
    const total = short ? count.short : count.full
    print(`seed ${seed} (FUZZ_SEED sets it)`)
    const jwks = createServer((_request, response) => response.end('{"keys":[]}'))
    await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve))
    const graph = await startForeignGraph({ things: { sdl, resolvers } })
    const gateway = await runGateway({
      SUPERGRAPH_FILE: await graph.supergraph(),
      JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/`,
      RATE_LIMITS: 'off',
      LOG_LEVEL: 'warn',
    })
    const wire = createWire(gateway.url, concurrency)
    try {
      assert.equal(gateway.code, 'ready', gateway.output())
      const statuses = new Map<string, number>()
      const faults: string[] = []
      const started = performance.now()
      for (let done = 0; done < total && faults.length === 0; done += batch) {
        const requests = fc.sample(generated, { numRuns: Math.min(batch, total - done), seed: seed + done }).values()
        await Promise.all(
          Array.from({ length: concurrency }, async () => {
            for (const request of requests) {
              const reply = await wire.send(request)
              const fault = faultOf(request, reply)
              if (fault) faults.push(`${fault}\n${JSON.stringify(request)}\n${JSON.stringify(reply)}`)
              const status =
                'error' in reply
                  ? reply.error
                  : `${reply.status} ${/"code":"(\w+)"/.exec(reply.body)?.[1] ?? ''}`.trim()
              statuses.set(status, (statuses.get(status) ?? 0) + 1)
            }
          }),
        )
      }
      const seconds = (performance.now() - started) / 1000
      const table = [...statuses].sort().map(([status, times]) => `${status}: ${times}`)
      print(`${total} requests in ${seconds.toFixed(0)} s; ${table.join(', ')}`)
      assert.deepEqual(faults.slice(0, 3), [])
      assert.deepEqual(await gateway.query('{ me { name } }'), { data: { me: { name: 'Ada' } } }, 'it still answers')
      // The log of the gateway holds those on purpose that the subgraph causes.
      const wrong = gateway
        .output()
        .split('\n')
        .filter((line) => /internal error|uncaught|unhandled/i.test(line) && !line.includes('"path":["fails"]'))
      assert.deepEqual(wrong.slice(0, 3), [])
    } finally {
      wire.close()
      await gateway.stop()
      await graph.stop()
      jwks.close()
    }
  },
}
