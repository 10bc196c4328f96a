/**
 * The topics of the event log:
 *
 *   npm run topics              creates those that are missing, and says what is not as planned
 *   npm run topics -- --apply   makes the configuration of those that are there as planned, too
 *
 * Partitions and replicas of a topic that is there are never changed: with the partitions keys would move, and with them
 * the order of events. Run it as often as you like. Ends with 1 while anything is not as planned.
 */
import { isDeadLetterTopic, keptDays } from '#platform/bus/bus.ts'
import { differencesOf, openKafkaTopics, type TopicState } from '#platform/bus/kafka-admin.ts'
import { kafkaOptions } from '#platform/bus/open.ts'
import { silentLog as log } from '#platform/log.ts'
import { allTopics, eventLogConfig } from './infra/event-log.ts'

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(given: string[]): Promise<void> {
  if (given.some((option) => option !== '--apply')) throw new Error('Usage: npm run topics [-- --apply]')
  const config = eventLogConfig()
  if (!config.KAFKA_BROKERS) return listEmbedded()
  const topics = await openKafkaTopics({ ...kafkaOptions(config), clientId: 'topics', log })
  try {
    const names = allTopics()
    const before = await topics.look(names)
    for (const state of before) {
      if (!state.actual) await topics.create(state)
      else if (given.length > 0 && differencesOf(state).configuration.length > 0) await topics.configure(state)
    }
    report(before, await topics.look(names))
  } finally {
    await topics.close()
  }
}

function listEmbedded(): void {
  console.log(
    'The event log is PostgreSQL: a topic is there from its first record on, so there is nothing to create.\n',
  )
  for (const name of allTopics()) {
    console.log(`${name.padEnd(34)} kept ${isDeadLetterTopic(name) ? keptDays.deadLetters : keptDays.topics} days`)
  }
}

function report(before: readonly TopicState[], after: readonly TopicState[]): void {
  console.log(row('topic', 'partitions', 'replicas', 'in sync', 'days', 'largest batch', ''))
  let open = 0
  for (const [index, state] of after.entries()) {
    const { configuration, layout } = differencesOf(state)
    const past = before[index]
    const changed = past?.actual
      ? differencesOf(past).configuration.filter((line) => !configuration.includes(line))
      : []
    const config = state.actual?.config ?? {}
    console.log(
      row(
        state.name,
        state.actual?.partitions,
        state.actual?.replicas,
        config['min.insync.replicas'],
        Number(config['retention.ms']) / 86_400_000,
        config['max.message.bytes'],
        past?.actual ? (changed.length > 0 ? 'changed' : 'was there') : 'created',
      ),
    )
    for (const line of changed) console.log(`    was: ${line}`)
    for (const line of configuration) console.log(`    ${line}; npm run topics -- --apply changes it`)
    for (const line of layout) console.log(`    ${line}; it is changed by hand or not at all`)
    open += configuration.length + layout.length
  }
  if (open > 0) process.exitCode = 1
}

function row(name: string, ...columns: unknown[]): string {
  return name.padEnd(30) + columns.map((column) => String(column).padStart(14)).join('')
}
