import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { root } from '../../tools/services.ts'
import { startTestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'

/** Requests a second, sent whether those before were answered or not; fewer in the short run, which is beside other tests. */
const rates = { short: 20, full: 200 }
const query = '{ products(first: 3) { edges { node { id name price { amount } category { name } } } } }'

/** What a file can have in place of a supergraph schema. */
const corruptions: readonly ((sdl: string) => string)[] = [
  () => '',
  () => 'no schema at all {',
  (sdl) => sdl.slice(0, sdl.length / 2),
  (sdl) => sdl.slice(0, sdl.indexOf('type Product\n')),
  () => 'type Query { products: Int }',
  (sdl) => sdl.replace('schema\n', 'schema\n  @link(url: "https://specs.apollo.dev/unheardOf/v1.0", for: SECURITY)\n'),
  // A schema that loads, and on which operations that are recorded no longer work.
  (sdl) =>
    sdl.replace('  trackingNumber: String @join__field(graph: ORDERS)\n', '').replace('  trackingNumber: String\n', ''),
]

export const swap: Drill = {
  summary:
    'new supergraph schemas under load, by replacing the file and by writing it in place, and corrupted ones: nothing fails, and a bad one is never served',
  async run({ short, print }) {
    const sdl = await readFile(join(root, 'schema/supergraph.graphql'), 'utf8')
    const folder = await mkdtemp(join(tmpdir(), 'swap-'))
    const file = join(folder, 'supergraph.graphql')
    await writeFile(file, sdl)
    const env = { SUPERGRAPH_FILE: file, SUPERGRAPH_INTERVAL: '50' }
    const stack = await startTestStack({ extra: { gateway: { env } } })
    try {
      await stack.addProducts(5, 5, 5)
      const metric = (name: string) => gatewayMetric(stack.urlOf('gateway'), name)
      const rounds = short ? 4 : 20
      const load = await startLoad(() => stack.graphql(query), rates[short ? 'short' : 'full'])

      for (let round = 1; round <= rounds; round++) {
        const { version } = await schemaOf(stack.urlOf('gateway'))
        const next = `# ${round}\n${sdl}`
        if (round % 2 === 0) await writeFile(file, next)
        else await replace(file, next)
        await load.until('the swap', async () => (await schemaOf(stack.urlOf('gateway'))).version !== version)
      }
      assert.equal(await metric('supergraph_rollouts_total{result="swapped"'), rounds)
      const swapped = load.answers.length

      const { version } = await schemaOf(stack.urlOf('gateway'))
      for (let round = 0; round < rounds; round++) {
        const refusals = await metric('supergraph_rollouts_total{result="refused"')
        const corrupt = corruptions[round % corruptions.length] ?? (() => '')
        await writeFile(file, `${corrupt(sdl)}${' '.repeat(round)}`)
        await load.until(
          'the refusal',
          async () => (await metric('supergraph_rollouts_total{result="refused"')) > refusals,
        )
        assert.deepEqual(await schemaOf(stack.urlOf('gateway')), { version, refused: true })
      }
      await writeFile(file, `# good again\n${sdl}`)
      await load.until('a good one again', async () => !(await schemaOf(stack.urlOf('gateway'))).refused)
      const answers = await load.stop()

      const times = answers.map(({ time }) => time)
      const failed = answers.filter(({ whole }) => !whole)
      print(`${rounds} swaps under ${swapped} requests, ${rounds} corrupted files under ${answers.length - swapped}`)
      print(
        `p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms, longest ${Math.max(...times).toFixed(0)} ms`,
      )
      print(`failed: ${failed.length}`)
      assert.deepEqual(failed.slice(0, 3), [])
    } finally {
      await stack.stop()
      await rm(folder, { recursive: true })
    }
  },
}

type Answered = { time: number; whole: boolean; why?: string }

/** Sends requests at a rate until it is stopped. */
async function startLoad(send: () => ReturnType<Awaited<ReturnType<typeof startTestStack>>['graphql']>, rate: number) {
  const answers: Answered[] = []
  const underWay = new Set<Promise<void>>()
  async function one(): Promise<void> {
    const started = performance.now()
    const outcome = await send().then(
      ({ status, data, errors }) => ({
        whole: status === 200 && errors.length === 0 && data?.products.edges.length === 3,
        why: JSON.stringify({ status, errors }),
      }),
      (error: unknown) => ({ whole: false, why: String(error) }),
    )
    answers.push({ time: performance.now() - started, ...outcome })
  }
  let due = performance.now()
  const timer = setInterval(() => {
    // After the machine has stood still, what was due meanwhile does not come all at once.
    due = Math.max(due, performance.now() - 1_000)
    for (; due < performance.now(); due += 1_000 / rate) {
      const request = one().finally(() => underWay.delete(request))
      underWay.add(request)
    }
  }, 5)
  const load = {
    answers,
    until: (what: string, condition: () => Promise<boolean>) => waitFor(what, condition),
    async stop(): Promise<readonly Answered[]> {
      clearInterval(timer)
      await Promise.all(underWay)
      return answers
    },
  }
  await load.until('the first answers', async () => answers.length >= rate)
  return load
}

async function schemaOf(url: string): Promise<{ version: string; refused: boolean }> {
  const { body } = await request(`${url}/health`)
  const { schema } = (await body.json()) as { schema: { version: string; refused: boolean } }
  return { version: schema.version, refused: schema.refused }
}

/** The sum of the samples whose line begins so. */
async function gatewayMetric(url: string, name: string): Promise<number> {
  const { body } = await request(`${url}/metrics`)
  const lines = (await body.text()).split('\n').filter((line) => line.startsWith(name))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** As a deployment does it: the file is whole whenever it is read. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}
