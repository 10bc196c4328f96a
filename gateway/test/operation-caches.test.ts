import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runGateway, startForeignGraph, type TestGateway } from '../../test/infra/gateway.ts'
import { scrape } from '../../test/infra/scrape.ts'

let graph: Awaited<ReturnType<typeof startForeignGraph>>
let gateway: TestGateway
before(async () => {
  graph = await startForeignGraph({ greetings: { sdl: 'type Query { hello: String }', resolvers: {} } })
  gateway = await runGateway({ SUPERGRAPH_FILE: await graph.supergraph(), RATE_LIMITS: 'off' })
  assert.equal(gateway.code, 'ready', gateway.output())
})
after(() => Promise.all([gateway?.stop(), graph?.stop()]))

async function held(what: string, cache: string): Promise<number> {
  return (await scrape(gateway.url)).get(`operation_cache_${what}{cache="${cache}"}`) ?? Number.NaN
}

/** Asks for operations of which each is a text of its own. */
async function askFor(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await gateway.query(`{ hello${n}: __typename }`)
}

test('metrics tell how many documents and plans are kept', async () => {
  await askFor(0, 3)
  await askFor(0, 3)
  assert.equal(await held('entries', 'documents'), 3)
  assert.equal(await held('entries', 'plans'), 3)
  assert.ok((await held('bytes', 'documents')) >= 3 * '{ hello0: __typename }'.length)
  assert.ok((await held('bytes', 'plans')) > 0)
})

test('whatever is asked for, no more than 2000 documents and plans are kept', async () => {
  await askFor(0, 2_010)
  assert.equal(await held('entries', 'documents'), 2_000)
  assert.equal(await held('entries', 'plans'), 2_000)
})
