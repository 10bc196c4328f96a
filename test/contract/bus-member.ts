/** A member of a group that prints the number of each event it handles. Run and killed by the contract tests. */
import { setTimeout as sleep } from 'node:timers/promises'
import { on } from '#platform/bus/handlers.ts'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { silentLog as log } from '#platform/log.ts'
import { happened } from './bus.ts'

const { topic = '', group = '', postgres = '', brokers } = process.env
const bus = brokers
  ? createKafkaBus({ brokers: brokers.split(','), clientId: 'member', tls: false, log })
  : createPostgresBus({ url: postgres, log })

bus.subscribe({
  group,
  handlers: [
    on(happened(topic), async ({ data }) => {
      // Slow enough to be killed in the middle.
      await sleep(5)
      process.stdout.write(`${data.n}\n`)
    }),
  ],
})
process.on('SIGTERM', () => void bus.close().then(() => process.exit(0)))
