/**
 * A member of a group with one effect for each event, recorded with it in one transaction as services do. Run, stopped and
 * killed by the drills.
 */
import pg from 'pg'
import { on } from '#platform/bus/handlers.ts'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { recordInInbox } from '#platform/inbox.ts'
import { silentLog as log } from '#platform/log.ts'
import { happened } from '../contract/bus.ts'

const { topic = '', group = '', effects = '', postgres = '', brokers } = process.env
const bus = brokers
  ? createKafkaBus({ brokers: brokers.split(','), clientId: 'member', tls: false, log })
  : createPostgresBus({ url: postgres, log })
const pool = new pg.Pool({ connectionString: effects, max: 8 })

/** Records the event and what it does: both or neither. */
async function apply(eventId: string, key: string, n: number): Promise<void> {
  const client = await pool.connect()
  const $executeRaw = async (parts: TemplateStringsArray, ...values: unknown[]) => {
    const text = parts.reduce((text, part, index) => `${text}$${index}${part}`)
    return (await client.query(text, values)).rowCount ?? 0
  }
  try {
    await client.query('BEGIN')
    const fresh = await recordInInbox({ $executeRaw }, eventId)
    if (fresh) await client.query('INSERT INTO effects (key, n, member) VALUES ($1, $2, $3)', [key, n, process.pid])
    else await client.query('INSERT INTO repeats (member) VALUES ($1)', [process.pid])
    await client.query('COMMIT')
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

const subscription = bus.subscribe({
  group,
  handlers: [on(happened(topic), ({ id, key, data }) => apply(id, key, data.n))],
})
void subscription.joined.then(() => process.send?.('joined'))
process.on('SIGTERM', () => void bus.close().then(() => process.exit(0)))
