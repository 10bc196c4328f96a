import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import { consulAddress } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { type ConsulAgent, startConsul } from '../../tools/infra/consul.ts'
import { createConsul } from '../consul.ts'
import { live as changeable, integer, readEnv } from '../env.ts'
import { followLive, settingsKey } from '../live/follow.ts'
import { createLive } from '../live.ts'
import type { LogFields } from '../log.ts'
import { createMetrics } from '../metrics.ts'

const skip = consulAddress() === undefined && 'there is no Consul'
const settings = { LIMIT: changeable(integer(1).default(10)), FIXED: integer(1).default(7) }
const running: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of running.splice(0)) await stop()
})

/** A process that follows its settings, and who changes them. */
async function open(prefix: string, address = consulAddress()) {
  const lines: { message: string; fields: LogFields | undefined }[] = []
  const write = (message: string, fields?: LogFields) => void lines.push({ message, fields })
  const log = { debug: write, info: write, warn: write, error: write }
  const consul = createConsul({ url: `http://${address}`, log })
  running.push(consul.close)
  const metrics = createMetrics({ service: 'things' })
  const schema = { settings, rules: [] }
  const live = createLive(schema, readEnv(settings, [], {}))
  await followLive({ name: 'things', live, consul, prefix, log, metrics })
  const key = (scope: string, setting: string) => `${settingsKey(prefix, scope)}${setting}`
  return {
    live,
    lines,
    metrics,
    set: (scope: string, setting: string, value: string) => consul.values.put(key(scope, setting), value),
    remove: (scope: string, setting: string) => consul.values.delete(key(scope, setting)),
    is: (limit: number) => waitFor(`a limit of ${limit}`, () => live.current.LIMIT === limit),
    said: (text: string) => waitFor(text, () => lines.find(({ message }) => message.includes(text))),
  }
}

describe('settings that Consul changes', { skip }, () => {
  test('are taken before a process begins its work, and change in every process that follows them', async () => {
    const prefix = `${randomUUID()}/`
    const one = await open(prefix)
    await one.set('things', 'LIMIT', '20')
    await one.is(20)
    const other = await open(prefix)
    assert.equal(other.live.current.LIMIT, 20)
    await one.set('things', 'LIMIT', '30')
    await Promise.all([one.is(30), other.is(30)])
  })

  test('a process has its own before those of all, and is what it was without either', async () => {
    const { set, remove, is } = await open(`${randomUUID()}-`)
    await set('all', 'LIMIT', '20')
    await is(20)
    await set('things', 'LIMIT', '30')
    await is(30)
    await set('others', 'LIMIT', '99')
    await remove('things', 'LIMIT')
    await is(20)
    await remove('all', 'LIMIT')
    await is(10)
  })

  test('what is refused is said and counted by the names of settings alone, and what was in force stands', async () => {
    const { set, is, said, live, lines, metrics } = await open(`${randomUUID()}-`)
    await set('things', 'LIMIT', '20')
    await is(20)
    await set('things', 'LIMIT', 'hunter2')
    await said('what was in force stands')
    await set('things', 'FIXED', 'hunter2')
    await set('things', 'NONSENSE', 'hunter2')
    await set('all', 'OF_ANOTHER', 'hunter2')
    await said('does not have')
    await waitFor('both to be counted', () => live.counts.refused === 3)
    assert.equal(live.current.LIMIT, 20)
    const text = await metrics.text()
    const counts = [...text.matchAll(/^config_\w+\{(?:setting|state)="(\w+)",service="things"\} (\d+)$/gm)].map(
      ([, label, count]) => `${label} ${count}`,
    )
    assert.deepEqual(counts.sort(), ['FIXED 1', 'LIMIT 1', 'applied 1', 'refused 3', 'unknown 1'])
    assert.doesNotMatch(JSON.stringify(lines), /hunter2|OF_ANOTHER/)
  })
})

describe('when Consul is away', { skip }, () => {
  let agent: ConsulAgent
  before(async () => {
    agent = await startConsul()
  })
  after(() => agent?.stop())

  test('the last settings stand, also when it is back without them, until they are written again', async () => {
    const { live, set, remove, is, said } = await open('', agent.address)
    await set('things', 'LIMIT', '20')
    await is(20)
    await agent.kill()
    await said('is away')
    assert.equal(live.current.LIMIT, 20)
    await agent.restart()
    // A question that was not open while Consul was away never knew of it: it hears after its 30 s what has become of it.
    await said('lost its memory')
    assert.equal(live.current.LIMIT, 20)
    await set('things', 'LIMIT', '30')
    await is(30)
    await remove('things', 'LIMIT')
    await is(10)
  })

  test('a process begins its work with the settings of its start', async () => {
    await agent.kill()
    const start = performance.now()
    const { live } = await open('', agent.address)
    assert.ok(performance.now() - start < 3_000)
    assert.equal(live.current.LIMIT, 10)
  })
})
