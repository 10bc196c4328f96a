import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isErrorCode } from '#platform/errors.ts'
import { busyCodes, startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Drill, percentile } from './drill.ts'
import type { Attempt, Door } from './front-door-attempts.ts'
import { bodies } from './front-door-bodies.ts'
import { startClient, type Times } from './front-door-client.ts'
import { documents } from './front-door-documents.ts'
import { headers } from './front-door-headers.ts'
import { neverRead, slow } from './front-door-slow.ts'
import { smuggling } from './front-door-smuggling.ts'
import type { Reply } from './front-door-wire.ts'

/** Milliseconds that 99 of 100 answers to an ordinary client may take at the most, while the attacks go on. */
const target = 50
/** Bytes in use that the gateway may have more of once they are over: documents and tokens that it remembers. */
const margin = 24 * 1024 * 1024
/** Attempts that are made at once. */
const attackers = 2
/** Seconds that the ordinary client is alone with the gateway, before. */
const quiet = { short: 3, full: 20 }
/** Bytes of an answer, at the most. An answer that repeats what was sent, at length, is a lever. */
const longestAnswer = 64 * 1024

export const frontDoor: Drill = {
  summary: 'requests that are no requests: each refused as it must be, while an ordinary client notices nothing',
  async run({ short, print }) {
    const heapFile = join(mkdtempSync(join(tmpdir(), 'front-door-')), 'heap')
    const probe = fileURLToPath(new URL('heap-probe.ts', import.meta.url))
    // What is asked is what each attempt comes to: on a machine that others keep busy some would be shed instead.
    const env = { HEAP_FILE: heapFile, MAX_EVENT_LOOP_DELAY: '0' }
    const stack = await startTestStack({
      extra: { gateway: { env, nodeOptions: ['--expose-gc', '--import', probe] } },
    })
    const door = { port: stack.ports.gateway.http, account: await stack.signUp() }
    const [product = ''] = await stack.addProducts(1)
    const client = startClient({
      url: stack.url,
      body: JSON.stringify({ query: 'query ($id: ID!) { product(id: $id) { name } }', variables: { id: product } }),
      perSecond: 20,
    })
    try {
      // Once, so that what the gateway loads when it is first needed is there.
      await inTurns(attempts(door))
      await client.lap()
      const lap = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1_000 * seconds))
      await lap(short ? quiet.short : quiet.full)
      const before = await client.lap()
      const memoryBefore = await memoryOf(stack, heapFile)

      const waiting = Promise.all(slow(door).map(judge))
      const unread = neverRead(door.port, waiting)
      let over = false
      waiting.finally(() => (over = true))
      let made = 0
      const faults = new Set<string>()
      let judged: Judged[] = []
      do {
        judged = await inTurns(attempts(door))
        made += judged.length
        for (const { line, fault } of judged) if (fault) faults.add(`${line}: ${fault}`)
      } while (!short && !over)
      const slowOnes = await waiting
      const during = await client.lap()
      const all = [...judged, ...slowOnes]
      for (const { line } of tableOf(all)) print(line)
      const slowest = judged.sort((a, b) => b.milliseconds - a.milliseconds).slice(0, 3)
      print(`slowest: ${slowest.map(({ what, milliseconds }) => `${what} (${milliseconds.toFixed(0)} ms)`).join(', ')}`)
      print(`${made + slowOnes.length} attempts of ${all.length} kinds, ${attackers} at a time`)
      print(`a client that never reads: ${((await unread) / 1024).toFixed(0)} KB taken from it`)
      report(print, 'before', before)
      report(print, 'during', during)

      for (const { line, fault } of slowOnes) if (fault) faults.add(`${line}: ${fault}`)
      assert.deepEqual([...faults], [])
      assert.deepEqual([...before.failures, ...during.failures], [])
      // The short run, beside other tests, says that everybody is answered; the full one says how fast.
      if (!short) assert.ok(percentile(during.milliseconds, 0.99) <= target, `p99 is at most ${target} ms`)
      await settle(() => memoryOf(stack, heapFile), memoryBefore, print)
    } finally {
      await client.stop()
      await stack.stop()
      rmSync(dirname(heapFile), { recursive: true })
    }
  },
}

function attempts(door: Door): Attempt[] {
  return [...documents(door), ...bodies(door), ...headers(door), ...smuggling(door)]
}

type Judged = { what: string; line: string; fault: string | undefined; milliseconds: number }

/** A few at a time: attackers, services and gateway share this machine's cores, and it is the gateway that is on trial. */
async function inTurns(all: readonly Attempt[]): Promise<Judged[]> {
  const judged: Judged[] = []
  const next = all.values()
  await Promise.all(
    Array.from({ length: attackers }, async () => {
      for (const attempt of next) judged.push(await judge(attempt))
    }),
  )
  return all.flatMap(({ what }) => judged.find((each) => each.what === what) ?? [])
}

/** How often an attempt is made again that came to what a whole gateway does too, on a machine that stands still. */
const mostRepeats = 2

async function judge(attempt: Attempt, repeats = 0): Promise<Judged> {
  const { what, expected, run } = attempt
  const started = performance.now()
  let replies: Reply[]
  try {
    replies = await run()
  } catch (error) {
    return { what, line: `  WRONG ${what}`, fault: String(error), milliseconds: Number.NaN }
  }
  const seen = replies.length === 0 ? 'closed' : replies.map(outcomeOf).join(', ')
  const isExpected = expected.split(' or ').includes(seen)
  const isBusy = seen === 'closed' || busyCodes.some((code) => seen.includes(code))
  if (!isExpected && isBusy && repeats < mostRepeats) return judge(attempt, repeats + 1)
  const fault = isExpected ? replies.map(faultOf).find(Boolean) : `expected ${expected}`
  return {
    what,
    line: `  ${fault ? 'WRONG ' : ''}${seen.padEnd(36)} ${what}`,
    fault,
    milliseconds: performance.now() - started,
  }
}

/** The status and the code, or what else there is. */
function outcomeOf({ status, body }: Reply): string {
  if (body === '') return `${status} -`
  const codes = partsOf(body).flatMap(
    ({ data, errors }) => errors?.map(({ extensions }) => extensions.code) ?? (data ? 'data' : 'nothing'),
  )
  return `${status} ${[...new Set(codes)].join('+')}`
}

type Part = { data?: unknown; errors?: { message: unknown; extensions: { code: string } }[] }

function partsOf(body: string): Part[] {
  const value: unknown = JSON.parse(body)
  return [value].flat() as Part[]
}

/** What is wrong with an answer, whatever it was expected to say. */
function faultOf({ status, headers, body }: Reply): string | undefined {
  if (status >= 500) return 'a failure of ours'
  if (/\bat .+:\d+:\d+|node_modules|\.ts\b|file:\/\/|\/gateway\//.test(body))
    return `a look inside: ${body.slice(0, 200)}`
  if (body.length > longestAnswer) return `${body.length} bytes`
  if (body === '') return undefined
  if (!/^application\/(graphql-response\+)?json/.test(headers['content-type'] ?? '')) return 'another media type'
  const errors = partsOf(body).flatMap(({ errors }) => errors ?? [])
  return errors.every(({ message, extensions }) => typeof message === 'string' && isErrorCode(extensions.code))
    ? undefined
    : `no GraphQL error: ${body.slice(0, 200)}`
}

/** What is the same many times over stands in one line. */
function tableOf(judged: readonly Judged[]): { line: string }[] {
  const groups = Map.groupBy(judged, ({ line }) => line.replace(/\d+$/, ''))
  return [...groups].map(([line, { length }]) => ({ line: length > 1 ? `${line}1 to ${length}` : line }))
}

function report(print: (line: string) => void, when: string, { milliseconds }: Times): void {
  const [p50, p99] = [percentile(milliseconds, 0.5), percentile(milliseconds, 0.99)]
  print(
    `an ordinary client, ${when}: ${milliseconds.length} requests, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
  )
}

type Memory = { inUse: number; resident: number | undefined }

/** Waits until the gateway has given back what the attacks cost. */
async function settle(now: () => Promise<Memory>, before: Memory, print: (line: string) => void): Promise<void> {
  print(`memory of the gateway, before: ${tell(before)}`)
  let last = await now()
  try {
    await waitFor('the memory of before', async () => {
      last = await now()
      return last.inUse <= before.inUse + margin
    })
  } finally {
    print(`memory of the gateway, after: ${tell(last)}`)
  }
}

function tell({ inUse, resident }: Memory): string {
  const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MB`
  return `${megabytes(inUse)} in use${resident ? `, ${megabytes(resident)} with what V8 keeps for later` : ''}`
}

/** Bytes: what is in use, and the proportional set size where the system says it. */
async function memoryOf({ processes }: TestStack, heapFile: string): Promise<Memory> {
  const { pid } = processes.gateway
  if (!pid) throw new Error('The gateway does not run.')
  rmSync(heapFile, { force: true })
  process.kill(pid, 'SIGUSR2')
  const inUse = await waitFor(
    'the size of the heap',
    () => existsSync(heapFile) && Number(readFileSync(heapFile, 'utf8')),
  )
  const rollup = `/proc/${pid}/smaps_rollup`
  const resident = existsSync(rollup) && Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(rollup, 'utf8'))?.[1]) * 1024
  return { inUse, resident: resident || undefined }
}
