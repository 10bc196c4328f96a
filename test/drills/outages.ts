import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { everythingUp } from '../../tools/infra/health.ts'
import { databaseVariable, root } from '../../tools/services.ts'
import { processNames } from '../../tools/stack.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { audit, unrest } from './crash-books.ts'
import { type Drill, percentile } from './drill.ts'
import { type Attempt, kinds, type Load, startLoad, stockTotal } from './outages-load.ts'
import { type Part, startParts } from './outages-parts.ts'
import { createResourceProbe, type ResourceProbe, type Resources, settled, tell } from './resources.ts'

/** Milliseconds that a request may take: the gateway's deadline, and what a busy machine adds, more so beside other tests. */
const longestAnswer = { short: 10_000 + 10_000, full: 10_000 + 1_500 }
/** Milliseconds for everything to be answered again, to be told of, and to come to rest. */
const recoveryLimit = 120_000
/** Answers of each kind, without an error among them, after which it counts as recovered. */
const enough = 10

export const outages: Drill = {
  summary:
    'PostgreSQL of each service, Redis, Kafka and Consul away for 20 s each under load: what works, what is refused, and nothing lost',
  async run({ short, print }) {
    const probe = createResourceProbe()
    const { databases, envOf, eventLog, parts, stop } = await startParts({ few: short })
    const extra = Object.fromEntries(
      processNames.map((name) => [name, { env: { ...envOf(name), ...probe.env }, nodeOptions: probe.nodeOptions }]),
    )
    const stack = await startTestStack({ databases, extra, ...eventLog }).catch(async (error) => {
      await stop()
      throw error
    })
    try {
      await drill(stack, short ? parts.filter(({ name }) => inShort.includes(name)) : parts, {
        seconds: short ? 1 : 20,
        longest: longestAnswer[short ? 'short' : 'full'],
        probe,
        print,
      })
    } finally {
      await stack.stop()
      await stop()
      probe.close()
    }
  },
}

const inShort = ['database of orders', 'Redis']

type Run = { seconds: number; longest: number; probe: ResourceProbe; print: (line: string) => void }

async function drill(stack: TestStack, parts: readonly Part[], { seconds, longest, probe, print }: Run): Promise<void> {
  const load = await startLoad(stack)
  await steady(load, performance.now())
  const before = await resourcesOf(stack, probe)
  print(`${seconds} s away each; requests answered of all, and what was refused with which code:`)
  for (const part of parts) for (const line of await takeAway(stack, load, part, seconds)) print(line)
  await load.stop()

  const times = load.attempts.map(({ time }) => time)
  print(
    `${times.length} requests, ${load.placed().length} orders accepted, ${load.paid.length} paid; the longest took ${percentile(times, 1).toFixed(0)} ms; ${load.wrong.length} wrong answers`,
  )
  assert.deepEqual(load.wrong.slice(0, 5), [])
  assert.ok(percentile(times, 1) <= longest, 'no request outlives its deadline')
  await waitFor('rest', async () => (await unrest(stack)).length === 0, recoveryLimit).catch(async (error) => {
    throw new Error(`Still: ${await unrest(stack)}`, { cause: error })
  })
  await audit(stack, stockTotal, print)
  await proveLedger(stack, print)
  for (const [name, was] of before) {
    const now = await settled(() => probe.read(pidOf(stack, name)), was)
    print(`${name}: before ${tell(was)}; after ${tell(now)}`)
  }
}

/** Takes a part away for a time and brings it back. Returns the lines of the table about it. */
async function takeAway(stack: TestStack, load: Load, part: Part, seconds: number): Promise<string[]> {
  await part.take()
  const taken = performance.now()
  await Promise.race([sleep(seconds * 1_000), load.failed])
  const accepted = load.placed()
  const restoring = performance.now()
  await part.bring()
  const restored = performance.now()
  await steady(load, restored)
  const during = load.attempts.filter(({ at, time }) => at + time > taken && at < restoring)
  const last = failuresOf(load.attempts)
    .filter(({ at, time }) => at + time > restored)
    .at(-1)
  const recovered = last
    ? `after ${inSeconds(last.at + last.time - restored)} (${last.kind}: ${last.outcome})`
    : 'at once'
  await allTold(stack, accepted)
  const told = performance.now() - restored
  await everythingUp(Object.fromEntries(processNames.map((name) => [name, `${stack.urlOf(name)}/health`])))
  return [
    `${part.name}: all answered again ${recovered}, all orders told of after ${inSeconds(told)}, healthy after ${inSeconds(performance.now() - restored)}`,
    ...kinds.flatMap((kind) =>
      rowsOf(
        kind,
        during.filter((attempt) => attempt.kind === kind),
      ),
    ),
  ]
}

/** Waits until each kind of request is answered without an error, some times in a row. */
async function steady(load: Load, since: number): Promise<void> {
  const isSteady = () => {
    const fresh = load.attempts.filter(({ at }) => at > since)
    return kinds.every((kind) => {
      const last = fresh.filter((attempt) => attempt.kind === kind).slice(-enough)
      return last.length === enough && last.every(({ outcome }) => outcome === '')
    })
  }
  const recovered = waitFor('every kind of request to be answered', isSteady, recoveryLimit)
  await Promise.race([recovered, load.failed]).catch((error) => {
    const recent = load.attempts.slice(-20).map(({ kind, outcome }) => `${kind} ${outcome}`)
    throw new Error(`${load.wrong.slice(0, 3).join('\n')}\n${recent.join('\n')}`, { cause: error })
  })
}

/** Waits until whoever placed these orders was told of each. */
async function allTold(stack: TestStack, orders: readonly string[]): Promise<void> {
  const query = `SELECT count(DISTINCT order_id)::int AS told FROM notifications WHERE type = 'ORDER_PLACED' AND order_id = ANY($1)`
  const isTold = async () => (await stack.sql('notifications', query, [orders]))[0].told === orders.length
  await waitFor('all orders to be told of', isTold, recoveryLimit)
}

const failuresOf = (attempts: readonly Attempt[]) => attempts.filter(({ outcome }) => outcome !== '')

/** How many were answered, and in how many ways the others were not. */
function rowsOf(kind: string, attempts: readonly Attempt[]): string[] {
  const failures = failuresOf(attempts)
  const slowest = Math.max(0, ...attempts.map(({ time }) => time))
  const outcomes = Map.groupBy(failures, ({ outcome }) => outcome)
  return [
    `  ${kind.padEnd(12)} ${attempts.length - failures.length} of ${attempts.length}, ${slowest.toFixed(0)} ms at the most`,
    ...[...outcomes].map(([outcome, { length }]) => `    ${String(length).padStart(5)} ${outcome}`),
  ]
}

const inSeconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`

async function resourcesOf(stack: TestStack, probe: ResourceProbe) {
  const found: [(typeof processNames)[number], Resources][] = []
  for (const name of processNames) found.push([name, await probe.read(pidOf(stack, name))])
  return found
}

/** The process that was started with the stack, or its successor. */
function pidOf({ processes }: TestStack, name: (typeof processNames)[number]): number {
  const { pid } = processes[name]
  if (!pid) throw new Error(`${name} does not run.`)
  return pid
}

/** `npm run ledger` over the products' database. */
async function proveLedger({ databases }: TestStack, print: (line: string) => void): Promise<void> {
  const env = { ...process.env, [databaseVariable('products')]: databases.products }
  const ledger = spawn(process.execPath, [join(root, 'tools/ledger.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  ledger.stdout.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(ledger, 'close')
  print(`npm run ledger: ${said.trim()}`)
  assert.equal(code, 0)
}
