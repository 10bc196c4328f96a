import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { startTcpProxy, type TcpProxy } from '../../test/infra/tcp-proxy.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { busSettings } from '../bus/open.ts'
import { readEnv } from '../env.ts'
import { openEvents } from '../events.ts'
import { silentLog as log } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { stoppable } from './stopping.ts'

const { lifecycle, stop } = stoppable()
let eventLog: TcpProxy
let client: pg.Client
let events: Awaited<ReturnType<typeof openEvents>>

before(async () => {
  const [url, logUrl] = [await createTestDatabase('orders'), new URL(await createTestDatabase())]
  eventLog = await startTcpProxy(Number(logUrl.port), logUrl.hostname)
  logUrl.host = `127.0.0.1:${eventLog.port}`
  client = new pg.Client({ connectionString: url })
  await client.connect()
  const config = readEnv(busSettings, [], { EVENTS_DATABASE_URL: logUrl.href })
  events = await openEvents({
    name: 'orders',
    url,
    config,
    log,
    lifecycle,
    metrics: createMetrics({ service: 'orders' }),
  })
})
after(async () => {
  await stop()
  await client.end()
  await eventLog.stop()
})

const canTell = () => waitFor('that it can tell', events.canTell)
const cannotTell = () => waitFor('that it cannot', async () => !(await events.canTell()))

test('what happens can be told unless the event log is away, silent, or leaves an event waiting', async () => {
  await canTell()
  await eventLog.cut()
  await cannotTell()
  await eventLog.restore()
  await canTell()
  eventLog.silence()
  await cannotTell()
  await eventLog.restore()
  await canTell()
  // Nothing is sent, since nothing was told to begin.
  await client.query(`
    INSERT INTO outbox (event_id, type, topic, key, sequence, time, data)
    VALUES (gen_random_uuid(), 'thing.happened', 'orders', 'k', 1, now() - interval '1 minute', '{}')`)
  assert.equal(await events.canTell(), false)
  await client.query('UPDATE outbox SET sent_at = now()')
  await canTell()
})
