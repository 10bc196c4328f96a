import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { createConsul } from '#platform/consul.ts'
import { settingsKey } from '#platform/live/follow.ts'
import { silentLog as log } from '#platform/log.ts'
import { consulVersion, startConsul } from '../../tools/infra/consul.ts'
import { runGateway, startForeignGraph, type TestGateway } from '../infra/gateway.ts'
import { patient } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'

const setting = 'RATE_LIMIT_ANONYMOUS'
const prefix = 'drill/'
const key = `${settingsKey(prefix, 'gateway')}${setting}`
/** Requests a minute that are more than the drill makes, and fewer than it has made by the time it asks for them. */
const [many, few] = ['1000000', '1']
/** Milliseconds until a change is in force, at the most; the short run is beside other tests. */
const longest = { short: 20_000, full: 2_000 }

export const liveSettings: Drill = {
  summary:
    'a rate limit changed through Consul for two running gateways, refused, deleted, and Consul killed and back without memory',
  async run({ short, print }) {
    if (!consulVersion()) return print('not run: there is no consul')
    const agent = await startConsul()
    const consul = createConsul({ url: `http://${agent.address}`, log })
    const graph = await startForeignGraph({
      things: { sdl: 'type Query { thing: Int }', resolvers: { Query: { thing: () => 1 } } },
    })
    const env = {
      SUPERGRAPH_FILE: await graph.supergraph(),
      CONSUL_HTTP_ADDR: agent.address,
      CONSUL_PREFIX: prefix,
      [setting]: many,
      ...patient,
    }
    const gateways = await Promise.all([runGateway(env), runGateway(env)])
    try {
      assert.deepEqual(
        gateways.map(({ code }) => code),
        ['ready', 'ready'],
      )
      const { put, delete: remove } = consul.values
      const changes = [
        { does: 'lowered', change: () => put(key, few), refuses: true },
        { does: 'deleted', change: () => remove(key), refuses: false },
        { does: 'lowered again', change: () => put(key, few), refuses: true },
        { does: 'raised', change: () => put(key, many), refuses: false },
      ]
      const times: number[] = []
      for (let round = 0; round < (short ? 2 : 25); round++) {
        for (const { change, refuses } of changes)
          times.push(...(await Promise.all(inForce(gateways, change, refuses))))
      }
      print(
        `${times.length} changes in force: p50 ${percentile(times, 0.5).toFixed(0)} ms, p99 ${percentile(times, 0.99).toFixed(0)} ms, at the latest ${Math.max(...times).toFixed(0)} ms`,
      )
      assert.ok(Math.max(...times) < longest[short ? 'short' : 'full'])

      await Promise.all(inForce(gateways, () => put(key, few), true))
      await put(key, 'hunter2')
      await Promise.all(gateways.map((gateway) => waitFor('a refusal', async () => (await refusals(gateway)) === 1)))
      for (const gateway of gateways) {
        assert.match(gateway.output(), /"setting":"RATE_LIMIT_ANONYMOUS","reason":"must be a whole number from [^"]+"/)
        assert.doesNotMatch(gateway.output(), /hunter2/)
      }
      print(
        `a value that is none: refused by both, and ${await stands(gateways, short)} requests refused by the one before it`,
      )

      await put(key, few)
      await agent.kill()
      const away = await heard(gateways, 'Consul is away')
      print(
        `Consul killed: noticed after ${away} ms, and ${await stands(gateways, short)} requests refused all the same`,
      )
      await agent.restart()
      await heard(gateways, 'Consul has lost its memory')
      print(`back without its memory: ${await stands(gateways, short)} requests refused all the same`)
      const [one = 0, other = 0] = await Promise.all(inForce(gateways, () => put(key, many), false))
      print(`written again: in force after ${one.toFixed(0)} and ${other.toFixed(0)} ms`)
    } finally {
      await Promise.all(gateways.map((gateway) => gateway.stop()))
      await graph.stop()
      await consul.close()
      agent.stop()
    }
  },
}

/** Makes a change, and how many milliseconds each gateway needs to do as it says. */
function inForce(gateways: readonly TestGateway[], change: () => Promise<void>, refuses: boolean): Promise<number>[] {
  const changed = change().then(() => performance.now())
  return gateways.map(async (gateway) => {
    const start = await changed
    await waitFor(
      `${gateway.url} to ${refuses ? 'refuse' : 'answer'}`,
      async () => (await isRefused(gateway)) === refuses,
    )
    return performance.now() - start
  })
}

async function isRefused({ url }: TestGateway): Promise<boolean> {
  const { statusCode, body } = await request(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ thing }"}',
  })
  const { data, errors } = (await body.json()) as { data?: object; errors?: { extensions: { code: string } }[] }
  if (statusCode === 429) assert.equal(errors?.[0]?.extensions.code, 'RATE_LIMITED')
  else assert.deepEqual([statusCode, data], [200, { thing: 1 }])
  return statusCode === 429
}

/**
 * Asks again and again for a while, and says how much was refused: all of it, but for what a gateway lets through when its
 * minute ends meanwhile.
 */
async function stands(gateways: readonly TestGateway[], short: boolean): Promise<number> {
  const end = performance.now() + (short ? 500 : 3_000)
  const answered = gateways.map(() => 0)
  let count = 0
  while (performance.now() < end || count === 0) {
    for (const [index, gateway] of gateways.entries()) {
      if (await isRefused(gateway)) count += 1
      else answered[index] = (answered[index] ?? 0) + 1
    }
    await sleep(5)
  }
  assert.ok(Math.max(...answered) <= Number(few), `${answered} answered in vain`)
  return count
}

async function refusals({ url }: TestGateway): Promise<number> {
  const text = await (await request(`${url}/metrics`)).body.text()
  return Number(new RegExp(`^config_refused_total\\{setting="${setting}"[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** Waits until all gateways have logged something, and says for how many milliseconds. */
async function heard(gateways: readonly TestGateway[], text: string): Promise<string> {
  const start = performance.now()
  await Promise.all(gateways.map(({ output }) => waitFor(text, () => output().includes(text))))
  return (performance.now() - start).toFixed(0)
}
