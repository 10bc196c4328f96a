import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import type { Bus } from '#platform/bus/bus.ts'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { silentLog as log } from '#platform/log.ts'
import { createTestDatabase, kafkaBrokers } from '../infra/parts.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'

const keys = 48
/** Events that are published at once, and how many may wait to be handled. */
const batch = 192
const mostWaiting = 3_000

export const rebalance: Drill = {
  summary: 'three consumers of one group: one joins, one leaves, one is killed with -9, under load',
  async run({ short, print }) {
    const total = (short ? 60 : 400) * keys
    const logs = kafkaBrokers() ? (['PostgreSQL', 'Kafka'] as const) : (['PostgreSQL'] as const)
    for (const events of logs) await shareOut(events, total, print)
  },
}

async function shareOut(events: 'PostgreSQL' | 'Kafka', total: number, print: (line: string) => void): Promise<void> {
  const effects = await createTestDatabase('orders')
  const pool = new pg.Pool({ connectionString: effects, max: 3 })
  await pool.query(`
    CREATE TABLE effects (id BIGSERIAL PRIMARY KEY, key TEXT, n INT, member INT, at TIMESTAMPTZ DEFAULT clock_timestamp());
    CREATE TABLE repeats (member INT)`)
  const [topic, group] = [randomUUID(), randomUUID()]
  const log_ = events === 'Kafka' ? { brokers: kafkaBrokers() ?? '' } : { postgres: await createTestDatabase() }
  const bus = open(log_)
  const members = new Set<ChildProcess>()
  const started = performance.now()
  try {
    const count = async () => Number((await pool.query('SELECT count(*) FROM effects')).rows[0].count)
    const reached = (share: number) =>
      waitFor(`${share} of the effects`, async () => (await count()) >= share * total, 180_000)
    const join = () => startMember(members, { topic, group, effects, ...log_ })
    const [leaving, dying] = await Promise.all([join(), join(), join()])
    const publishing = publishAll(bus, topic, total, count)
    await reached(0.15)
    await join()
    await reached(0.35)
    await end(leaving, 'SIGTERM')
    await reached(0.55)
    const killedAt = new Date()
    await end(dying, 'SIGKILL')
    await publishing
    await reached(1)
    const seconds = (performance.now() - started) / 1_000
    await Promise.all([...members].map((member) => end(member, 'SIGTERM')))
    await audit(pool, total)
    const { rows } = await pool.query(
      `SELECT (SELECT count(*)::int FROM repeats) AS repeats, (SELECT count(DISTINCT member)::int FROM effects) AS members,
         (SELECT max(gap) FROM (SELECT extract(epoch FROM at - lag(at) OVER (PARTITION BY key ORDER BY id)) AS gap
            FROM effects WHERE at > $1::timestamptz - interval '1 s') AS gaps) AS longest`,
      [killedAt],
    )
    const [{ repeats, members: shared, longest }] = rows
    print(
      `events on ${events}: ${total} effects of ${shared} members in ${seconds.toFixed(1)} s, 0 lost, 0 doubled, each key in ` +
        `order; ${repeats} events came again without effect; after the kill a key waited ${Number(longest).toFixed(1)} s at the most`,
    )
    assert.equal(shared, 4, 'every member had a share')
  } finally {
    for (const member of members) member.kill('SIGKILL')
    await bus.close()
    await pool.end()
  }
}

/** As fast as members handle them: a bound keeps the load on them to the end. */
async function publishAll(bus: Bus, topic: string, total: number, count: () => Promise<number>): Promise<void> {
  for (let first = 0; first < total; first += batch) {
    await waitFor('room', async () => first - (await count()) < mostWaiting, 180_000)
    const numbers = Array.from({ length: batch }, (_, index) => first + index)
    await bus.publish(
      numbers.map((number) => ({
        id: randomUUID(),
        type: 'test.happened',
        topic,
        key: `key ${number % keys}`,
        source: 'drill',
        time: new Date(),
        sequence: Math.floor(number / keys),
        data: { n: Math.floor(number / keys) },
      })),
    )
  }
}

/** Nothing lost, nothing doubled, and each key in its order. */
async function audit(pool: pg.Pool, total: number): Promise<void> {
  const { rows } = await pool.query<{ key: string; numbers: number[] }>(
    'SELECT key, array_agg(n ORDER BY id) AS numbers FROM effects GROUP BY key',
  )
  assert.equal(rows.length, keys)
  const expected = Array.from({ length: total / keys }, (_, n) => n)
  for (const { key, numbers } of rows) assert.deepEqual(numbers, expected, key)
}

function open({ brokers, postgres = '' }: { brokers?: string; postgres?: string }): Bus {
  if (brokers) return createKafkaBus({ brokers: brokers.split(','), clientId: 'drill', tls: false, log })
  return createPostgresBus({ url: postgres, log })
}

/** Resolves when the member has joined. */
async function startMember(members: Set<ChildProcess>, env: Record<string, string>): Promise<ChildProcess> {
  const member = spawn(
    process.execPath,
    ['--disable-warning=TimeoutNegativeWarning', join(import.meta.dirname, 'event-member.ts')],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  members.add(member)
  await new Promise((resolve, reject) => {
    member.once('message', resolve)
    member.once('exit', (code) => reject(new Error(`A member ended with ${code} before it joined.`)))
  })
  return member
}

async function end(member: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (member.exitCode !== null || member.signalCode !== null) return
  const exited = new Promise((resolve) => member.once('exit', resolve))
  member.kill(signal)
  await exited
}
