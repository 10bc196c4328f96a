import { before } from 'node:test'
import { createKafkaBus } from '#platform/bus/kafka.ts'
import { openKafkaRecords } from '#platform/bus/kafka-records.ts'
import { createPostgresBus } from '#platform/bus/postgres.ts'
import { openPostgresRecords } from '#platform/bus/postgres-records.ts'
import { silentLog as log } from '#platform/log.ts'
import { replayContract } from '../../test/contract/replay.ts'
import { createTestDatabase, kafkaBrokers } from '../../test/infra/parts.ts'

let url = ''
before(async () => {
  url = await createTestDatabase()
})

replayContract({
  name: 'PostgreSQL',
  openBus: () => createPostgresBus({ url, log }),
  openRecords: () => openPostgresRecords({ url, log }),
})

const brokers = kafkaBrokers()?.split(',') ?? []
const options = { brokers, clientId: 'replay', prefix: 'replay.', tls: false, log }

replayContract({
  name: 'Kafka',
  skip: brokers.length === 0 && 'there is no Kafka',
  openBus: () => createKafkaBus(options),
  openRecords: () => openKafkaRecords(options),
})
