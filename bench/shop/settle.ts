import { setTimeout as sleep } from 'node:timers/promises'
import type { Postgres } from '../../tools/infra/postgres.ts'

const limit = 120_000
const pause = 300
/** Looks at which nothing may have changed. */
const looks = 4
const emitting = ['users', 'products', 'orders', 'payments'] as const

/** Resolves when every event is sent and no more notifications come of them. Rejects after two minutes. */
export async function settled(postgres: Postgres): Promise<void> {
  const deadline = Date.now() + limit
  let told = -1
  for (let still = 0; still < looks; ) {
    const [pending, now] = await Promise.all([
      eventsPending(postgres),
      count(postgres, 'notifications', 'notifications'),
    ])
    still = pending === 0 && now === told ? still + 1 : 0
    told = now
    if (Date.now() > deadline) throw new Error(`${pending} events are not sent after ${limit / 1_000} s.`)
    await sleep(pause)
  }
}

/** Events of all outboxes that are not sent. */
export async function eventsPending(postgres: Postgres): Promise<number> {
  const counts = await Promise.all(emitting.map((name) => count(postgres, name, 'outbox WHERE sent_at IS NULL')))
  return counts.reduce((sum, one) => sum + one, 0)
}

export async function count(postgres: Postgres, database: string, from: string): Promise<number> {
  return (await postgres.query(`SELECT count(*)::int AS n FROM ${from}`, database)).rows[0].n
}
