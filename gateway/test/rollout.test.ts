import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'
import { silentLog } from '#platform/log.ts'
import { createMetrics } from '#platform/metrics.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { compileCosts } from '../cost.ts'
import { openGraph } from '../graph.ts'
import { createOperations } from '../operations.ts'
import { readRecorded } from '../persisted.ts'
import { rehearse, type Stage } from '../rehearsal.ts'
import { createRollout } from '../rollout.ts'
import type { Supergraph } from '../supergraph.ts'

const folder = await mkdtemp(join(tmpdir(), 'rollout-'))
const recordedFolder = join(folder, 'operations')
after(() => rm(folder, { recursive: true }))

function composed(typeDefs: string): string {
  const { supergraphSdl = '', errors } = composeServices([
    { name: 'things', url: 'http://127.0.0.1:1/graphql', typeDefs: parse(typeDefs) },
  ])
  assert.equal(errors, undefined)
  return supergraphSdl
}
const first = composed('type Query { a: Int b: Int }')
const second = composed('type Query { a: Int b: Int c: Int }')
const withoutA = composed('type Query { b: Int }')

type Serving = { sdl: string; closed: boolean; stage: Stage; close(): Promise<void> }

async function load(supergraphSdl: string): Promise<{ stage: Stage; close: () => Promise<void> }> {
  const { schema, plan, close } = await openGraph({ supergraphSdl, subgraphTimeout: 100, log: silentLog })
  const costOf = compileCosts(parse(supergraphSdl), schema, { defaultListSize: 10 })
  const operations = createOperations({
    schema,
    limits: () => undefined,
    introspection: true,
    mostErrors: () => 1,
    costOf,
  })
  return { stage: { operations, plan }, close }
}

/** A rollout of schemas that are really loaded. */
async function open() {
  const file = join(folder, `${randomUUID()}.graphql`)
  await writeFile(file, first)
  const metrics = createMetrics({ service: 'test' })
  const opened: Serving[] = []
  async function serve({ sdl }: Supergraph): Promise<Serving> {
    const { stage, close } = await load(sdl)
    const serving = {
      sdl,
      closed: false,
      stage,
      async close() {
        serving.closed = true
        await close()
      },
    }
    opened.push(serving)
    return serving
  }
  const rollout = await createRollout<Serving>({
    file,
    interval: 10,
    open: serve,
    rehearse: async (next, previous) => rehearse(await readRecorded(recordedFolder), next.stage, previous.stage),
    metrics,
    log: silentLog,
  })
  const { version } = rollout.report()
  return {
    file,
    opened,
    rollout,
    metrics,
    swapped: () => waitFor('the swap', () => rollout.report().version !== version),
    refused: () => waitFor('the refusal', () => rollout.report().refused),
  }
}

async function record(id: string, text: string): Promise<void> {
  await mkdir(join(recordedFolder, 'web'), { recursive: true })
  await writeFile(join(recordedFolder, `${id}.graphql`), text)
}
await record('web/A', 'query A { a }')
await record('web/Elsewhere', 'query Elsewhere { nowhere }')

test('a new schema is served as soon as its file stands still, replaced or written in place', async () => {
  for (const write of [writeFile, replace]) {
    const { file, rollout, swapped } = await open()
    await write(file, second)
    await swapped()
    assert.match(rollout.current.sdl, /\bc: Int/)
    assert.equal(rollout.report().refused, false)
    await rollout.stop()
  }
})

test('a request keeps the schema it began with, which is closed with the last of them', async () => {
  const { file, opened, rollout, swapped } = await open()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const under = rollout.use(async ({ sdl }) => {
    await held
    return sdl
  })
  await writeFile(file, second)
  await swapped()
  assert.equal(await rollout.use(async (serving) => serving === opened[1]), true)
  assert.deepEqual(
    opened.map(({ closed }) => closed),
    [false, false],
  )
  release()
  assert.doesNotMatch(await under, /\bc: Int/)
  await waitFor('the old one to be closed', () => opened[0]?.closed)
  await rollout.stop()
  assert.equal(opened[1]?.closed, true)
})

test('while requests hold three schemas, no other is taken over', async () => {
  const { file, opened, rollout } = await open()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const version = (extra: number) => composed(`type Query { a: Int b: Int x${extra}: Int }`)
  const under: Promise<void>[] = []
  for (const round of [1, 2, 3]) {
    under.push(rollout.use(() => held))
    const before = rollout.report().version
    await writeFile(file, version(round))
    await waitFor('a swap', () => rollout.report().version !== before)
  }
  const { version: third } = rollout.report()
  await writeFile(file, version(4))
  // Another rollout, which looks as often, has seen a newer file by now.
  const other = await open()
  await writeFile(other.file, second)
  await other.swapped()
  await other.rollout.stop()
  assert.deepEqual([rollout.report().version, opened.length], [third, 4])
  release()
  await Promise.all(under)
  await waitFor('the swap that waited', () => rollout.report().version !== third)
  await rollout.stop()
  assert.ok(opened.every(({ closed }) => closed))
})

describe('the schema before is served on, and the new one refused,', () => {
  const bad: Record<string, string> = {
    'when it is empty': '',
    'when it is no GraphQL': 'schema {',
    'when it is half written': second.slice(0, second.length / 2),
    'when it is no supergraph': 'type Query { a: Int }',
    'when it asks for security that is not enforced': second.replace(
      'schema\n',
      'schema\n @link(url: "https://specs.apollo.dev/unheardOf/v1.0", for: SECURITY)\n',
    ),
    'when a recorded operation no longer works': withoutA,
  }
  for (const [when, text] of Object.entries(bad)) {
    test(when, async () => {
      const { file, opened, rollout, refused, metrics } = await open()
      const { version } = rollout.report()
      await writeFile(file, text)
      await refused()
      assert.equal(rollout.report().version, version)
      assert.equal(rollout.current, opened[0])
      assert.equal(opened[0]?.closed, false)
      assert.ok(
        opened.slice(1).every(({ closed }) => closed),
        'what was opened in vain is closed',
      )
      await assert.rejects(rollout.check(), { code: 'SUPERGRAPH_REFUSED' })
      assert.match(await metrics.text(), /supergraph_rollouts_total\{result="refused",service="test"\} 1/)
      await writeFile(file, first)
      await waitFor('the good one to be seen', () => !rollout.report().refused)
      await rollout.check()
      await rollout.stop()
    })
  }

  test('when the file is gone, as long as it is', async () => {
    const { file, rollout, swapped } = await open()
    await rm(file)
    assert.equal(rollout.report().refused, false)
    await writeFile(file, second)
    await swapped()
    await rollout.stop()
  })
})

test('an operation that did not work before refuses nothing', async () => {
  // Elsewhere is recorded, and valid on none of these schemas.
  const { file, rollout, swapped } = await open()
  await writeFile(file, second)
  await swapped()
  await rollout.stop()
})

test('a schema that breaks operations is refused by their names', async () => {
  const [previous, next] = [await load(first), await load(withoutA)]
  await assert.rejects(rehearse(await readRecorded(recordedFolder), next.stage, previous.stage), {
    message: 'The supergraph breaks recorded operations: web/A',
  })
  await Promise.all([previous.close(), next.close()])
})

test('the version that is served is in the metrics, and no other', async () => {
  const { file, rollout, swapped, metrics } = await open()
  await writeFile(file, second)
  await swapped()
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('supergraph_info{'))
  assert.deepEqual(lines, [`supergraph_info{version="${rollout.report().version}",service="test"} 1`])
  await rollout.stop()
})

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}
