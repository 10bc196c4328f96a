import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { silentLog as log } from '../log.ts'
import { createRetention } from '../retention.ts'

let url: string
let client: pg.Client
before(async () => {
  url = await createTestDatabase('orders')
  client = new pg.Client({ connectionString: url })
  await client.connect()
})
after(() => client.end())

/** Fills a table, lets the retention run, and counts what is left by age in days. */
async function leftOf(table: 'outbox' | 'inbox', fill: string, count: string, expected: number) {
  await client.query(fill)
  const retention = createRetention({ url, name: 'orders', table, log })
  retention.start()
  await waitFor('the old rows to go', async () => {
    const { rows } = await client.query(`SELECT count(*)::int AS count FROM ${table}`)
    return rows[0].count === expected
  })
  await retention.stop()
  return (await client.query(count)).rows
}

test('sent events are kept for 7 days, and unsent ones for ever', async () => {
  const left = await leftOf(
    'outbox',
    `INSERT INTO outbox (event_id, type, topic, key, sequence, time, data, sent_at)
     SELECT gen_random_uuid(), 't', 't', 'k', 1, now(), '{}', sent_at FROM (
       SELECT now() - interval '8 days' FROM generate_series(1, 12000)
       UNION ALL SELECT now() - interval '6 days'
       UNION ALL SELECT NULL) AS rows (sent_at)`,
    `SELECT (extract(epoch FROM now() - sent_at) / 86400)::int AS age FROM outbox ORDER BY age`,
    2,
  )
  assert.deepEqual(left, [{ age: 6 }, { age: null }])
})

test('marks of handled events are kept for 45 days', async () => {
  const left = await leftOf(
    'inbox',
    `INSERT INTO inbox SELECT gen_random_uuid(), now() - make_interval(days => age)
     FROM generate_series(44, 46) AS age, generate_series(1, 6000)`,
    `SELECT DISTINCT (extract(epoch FROM now() - handled_at) / 86400)::int AS age FROM inbox ORDER BY age`,
    6_000,
  )
  assert.deepEqual(left, [{ age: 44 }])
})
