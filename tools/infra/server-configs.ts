/** The settings of the servers of a production system that hold a secret, as files that the servers read. */

/** `redis.conf`. All that is kept may be lost, and goes by itself: where memory ends, what was not used for longest goes first. */
export function redisConfig(password: string): string {
  return [
    `requirepass ${password}`,
    'maxmemory 128mb',
    'maxmemory-policy volatile-lru',
    'appendonly yes',
    'save ""',
  ].join('\n')
}

/**
 * `server.properties` of one broker in KRaft mode, which is its own controller. Clients sign in; the controller is reached
 * from the broker's machine alone.
 */
export function kafkaConfig(passwords: { broker: string; shop: string }): string {
  const { broker, shop } = passwords
  const users = `username="broker" password="${broker}" user_broker="${broker}" user_shop="${shop}"`
  return [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.voters=1@127.0.0.1:9093',
    'listeners=CLIENTS://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093',
    'advertised.listeners=CLIENTS://kafka:9092',
    'listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=CLIENTS',
    'sasl.mechanism.inter.broker.protocol=PLAIN',
    'sasl.enabled.mechanisms=PLAIN',
    `listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`,
    'log.dirs=/var/lib/kafka/data',
    'auto.create.topics.enable=false',
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
  ].join('\n')
}

/** A server that is a cluster by itself. Whoever has no token learns and changes nothing. */
export function consulConfig(token: string): string {
  return JSON.stringify({
    server: true,
    bootstrap_expect: 1,
    data_dir: '/consul/data',
    client_addr: '0.0.0.0',
    disable_update_check: true,
    leave_on_terminate: false,
    acl: { enabled: true, default_policy: 'deny', tokens: { initial_management: token } },
  })
}
