/**
 * `npm run bench:floor`: the rate that this machine bears where nothing but the shop's messages costs anything. Bare processes in the
 * place of the gateway and of each service exchange as many HTTP messages and statements as the shop does for the same mix, PostgreSQL
 * commits to disk, and passwords are hashed; there is no GraphQL, no token, no limit, no rule and no event. What the shop bears
 * cannot be more. Prints each rate that is tried, and the highest at which p99 is 50 ms at the most.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../tools/infra/ports.ts'
import { type Postgres, startPostgres } from '../tools/infra/postgres.ts'
import { serviceNames } from '../tools/services.ts'
import { rowBytes, rows } from './floor/exchange.ts'
import { findHighest, mostRate } from './shop/find.ts'
import type { Measured } from './shop/measures.ts'
import { target } from './shop/run.ts'

/** Requests a second. */
const firstRate = 320
/** Seconds of each rate, and of those before them which do not count. */
const measuredTime = 15
const warmUp = 5

const folder = mkdtempSync(join(tmpdir(), 'commerce-floor-'))
const [database = 0, front = 0, ...ports] = await freePorts(2 + serviceNames.length)
const children: ChildProcess[] = []
/** A process that ends before its time ends the run. */
const ended = new AbortController()
let postgres: Postgres | undefined
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  postgres?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))

postgres = await startPostgres({ folder: join(folder, 'data'), port: database, password: 'floor' })
await postgres.query(
  `CREATE TABLE things AS SELECT id, repeat('x', ${rowBytes}) AS value, 0 AS n FROM generate_series(0, ${rows - 1}) AS id`,
)
await postgres.query('ALTER TABLE things ADD PRIMARY KEY (id)')
const portOf = Object.fromEntries(serviceNames.map((name, index) => [name, ports[index] ?? 0]))
for (const port of ports) await start('service', postgres.url('postgres'), String(port))
await start('front', JSON.stringify(portOf), String(front))
const generator = await start('generator', String(front))

await run(firstRate, measuredTime)
const highest = await findHighest({ from: firstRate, most: mostRate }, async (rate) => {
  await run(rate, warmUp)
  const before = busy()
  const { all } = await run(rate, measuredTime)
  const used = (busy() - before) / all.count
  const holds = all.p99 <= target.p99 && all.failed === 0
  const figures = `p50 ${all.p50.toFixed(1)}, p99 ${all.p99.toFixed(1)} ms, ${all.failed} of ${all.count} failed, ${used.toFixed(2)} ms of CPU a request`
  console.log(`${rate} a second ${holds ? 'holds' : 'does not hold'}: ${figures}`)
  return holds
})
console.log(`The highest rate that holds: ${highest ?? 'none'}`)
process.exit()

async function run(rate: number, seconds: number): Promise<Measured> {
  generator.send({ rate, count: rate * seconds })
  const [measured] = (await once(generator, 'message', { signal: ended.signal })) as [Measured]
  return measured
}

/** Milliseconds for which the machine's cores have worked. */
function busy(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0)
}

async function start(role: string, ...args: string[]): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'floor', `${role}.ts`), args)
  children.push(child)
  child.once('exit', () => ended.abort(new Error(`The ${role} ended.`)))
  await once(child, 'message', { signal: ended.signal })
  return child
}
