import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin } from 'kafkajs'
import { createKafkaClient, type KafkaOptions } from './kafka-client.ts'
import { attemptInterval, createTopic, mostAttempts, planTopic, type TopicPlan } from './kafka-topics.ts'

/** A topic as it is to be, and as it is. */
export type TopicState = {
  name: string
  plan: TopicPlan
  /** Undefined where there is no such topic. */
  actual: TopicPlan | undefined
}

/** What an operator asks of Kafka's topics. Names are without the prefix. */
export async function openKafkaTopics(options: KafkaOptions) {
  const { prefix = '' } = options
  const admin = createKafkaClient(options).admin()
  await admin.connect()

  async function look(names: readonly string[]): Promise<TopicState[]> {
    const { brokers } = await admin.describeCluster()
    const existing = new Set(await admin.listTopics())
    const there = names.filter((name) => existing.has(prefix + name))
    const actual = await describe(
      admin,
      there.map((name) => prefix + name),
    )
    return names.map((name) => ({
      name,
      plan: planTopic(name, brokers.length),
      actual: actual.get(prefix + name),
    }))
  }

  return {
    look,
    create: ({ name, plan }: TopicState) => createTopic(admin, prefix + name, plan),
    /**
     * Makes the configuration as planned, and resolves when the broker that is asked for it tells it so, or after some seconds.
     * What the plan says nothing of stays. Partitions and replicas are left alone.
     */
    async configure({ name, plan, actual }: TopicState): Promise<void> {
      // This request replaces the whole configuration of the topic, so that all of it is sent.
      const configEntries = Object.entries({ ...actual?.config, ...plan.config }).map(([name, value]) => ({
        name,
        value,
      }))
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: prefix + name, configEntries }
      await admin.alterConfigs({ validateOnly: false, resources: [resource] })
      // Brokers learn of it after the controller has answered.
      for (let attempt = 1; attempt < mostAttempts; attempt++) {
        const told = (await describe(admin, [prefix + name])).get(prefix + name)
        if (differencesOf({ name, plan, actual: told }).configuration.length === 0) return
        await sleep(attemptInterval)
      }
    },
    close: () => admin.disconnect(),
  }
}

/** What of a topic is not as planned, one line each. Empty for one that is not there. */
export function differencesOf({ plan, actual }: TopicState): { configuration: string[]; layout: string[] } {
  if (!actual) return { configuration: [], layout: [] }
  const differs = (what: string, is: unknown, planned: unknown) =>
    String(is) === String(planned) ? [] : [`${what} is ${is}, planned ${planned}`]
  return {
    configuration: Object.entries(plan.config).flatMap(([name, value]) => differs(name, actual.config[name], value)),
    layout: [
      ...differs('partitions', actual.partitions, plan.partitions),
      ...differs('replicas', actual.replicas, plan.replicas),
    ],
  }
}

/** Partitions, replicas and what of the configuration is the topic's own or is planned for any topic. */
async function describe(admin: Admin, topics: readonly string[]): Promise<Map<string, TopicPlan>> {
  if (topics.length === 0) return new Map()
  const planned = Object.keys(planTopic('any', 1).config)
  const [{ topics: metadata }, { resources }] = await Promise.all([
    admin.fetchTopicMetadata({ topics: [...topics] }),
    admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
    }),
  ])
  const configs = resources.map(({ resourceName, configEntries }) => {
    const kept = configEntries.filter(
      ({ configName, configSource }) =>
        configSource === kafkajs.ConfigSource.TOPIC_CONFIG || planned.includes(configName),
    )
    return [
      resourceName,
      Object.fromEntries(kept.map(({ configName, configValue }) => [configName, configValue])),
    ] as const
  })
  const configOf = new Map(configs)
  return new Map(
    metadata.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        config: configOf.get(name) ?? {},
      },
    ]),
  )
}
