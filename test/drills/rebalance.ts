import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import type { Bus, BusEvent } from '#platform/bus/bus.ts'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { silentLog as log } from '#platform/log.ts'
import { hasEnded } from '../../tools/infra/listening.ts'
import { createTestDatabase, kafkaBrokers } from '../infra/parts.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'

const keys = 48
/** Events of each key that are published at once. */
const perBatch = 4
/** Milliseconds for a member to have a share, and for all to be handled. */
const limit = 180_000

type Size = {
  /** Effects between one change of the group and the next, at the least. */
  between: number
  /** Events that may wait to be handled. */
  mostWaiting: number
}

export const rebalance: Drill = {
  summary: 'three consumers of one group: one joins, one leaves, one is killed with -9, under load',
  async run({ short, print }) {
    const size = short ? { between: 400, mostWaiting: 400 } : { between: 4_000, mostWaiting: 3_000 }
    const logs = kafkaBrokers() ? (['PostgreSQL', 'Kafka'] as const) : (['PostgreSQL'] as const)
    for (const events of logs) await shareOut(events, size, print)
  },
}

async function shareOut(events: 'PostgreSQL' | 'Kafka', size: Size, print: (line: string) => void): Promise<void> {
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
    const more = async () => {
      const before = await count()
      await waitFor('more effects', async () => (await count()) >= before + size.between, limit)
    }
    const join = () => startMember(members, { topic, group, effects, ...log_ })
    const shares = async (wanted: number) => {
      const share = 'SELECT count(DISTINCT member)::int AS members FROM effects'
      await waitFor('everyone to have a share', async () => (await pool.query(share)).rows[0].members === wanted, limit)
    }
    const [leaving, dying] = await Promise.all([join(), join(), join()])
    let enough = false
    const published = publish(bus, topic, async (published) => {
      await waitFor('room', async () => enough || published - (await count()) < size.mostWaiting, limit)
      return !enough
    })
    await shares(3)
    await more()
    await join()
    await shares(4)
    await more()
    await end(leaving, 'SIGTERM')
    await more()
    const killedAt = new Date()
    await end(dying, 'SIGKILL')
    await more()
    enough = true
    const total = await published
    await waitFor('every effect', async () => (await count()) >= total, limit)
    const seconds = (performance.now() - started) / 1_000
    await Promise.all([...members].map((member) => end(member, 'SIGTERM')))
    await audit(pool, total)
    const { rows } = await pool.query(
      `SELECT (SELECT count(*)::int FROM repeats) AS repeats,
         (SELECT max(gap) FROM (SELECT extract(epoch FROM at - lag(at) OVER (PARTITION BY key ORDER BY id)) AS gap
            FROM effects WHERE at > $1::timestamptz - interval '1 s') AS gaps) AS longest`,
      [killedAt],
    )
    const [{ repeats, longest }] = rows
    print(
      `events on ${events}: ${total} effects in ${seconds.toFixed(1)} s, 0 lost, 0 doubled, each key in order; ` +
        `${repeats} events came again without effect; after the kill a key waited ${Number(longest).toFixed(1)} s at the most`,
    )
  } finally {
    for (const member of members) member.kill('SIGKILL')
    await bus.close()
    await pool.end()
  }
}

/** Publishes while there is more to publish, and returns how many it were. */
async function publish(bus: Bus, topic: string, more: (published: number) => Promise<boolean>): Promise<number> {
  let n = 0
  while (await more(n * keys)) {
    const numbers = Array.from({ length: perBatch }, () => n++)
    const events = numbers.flatMap((n) => Array.from({ length: keys }, (_, key) => eventOf(topic, `key ${key}`, n)))
    await bus.publish(events)
  }
  return n * keys
}

function eventOf(topic: string, key: string, n: number): BusEvent {
  const at = { source: 'drill', time: new Date(), sequence: n }
  return { id: randomUUID(), type: 'test.happened', topic, key, ...at, data: { n } }
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
  if (hasEnded(member)) return
  const exited = new Promise((resolve) => member.once('exit', resolve))
  member.kill(signal)
  await exited
}
