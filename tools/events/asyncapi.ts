import { stringify } from 'yaml'
import type { EventDefinition } from '#contracts/events.ts'
import { keptDays, partitionCount } from '#platform/bus/bus.ts'
import { schemaOf } from './schemas.ts'

/** Version of the Kafka bindings. https://github.com/asyncapi/bindings/tree/master/kafka */
const bindingVersion = '0.5.0'

/** The headers of every record: CloudEvents in binary mode, as platform/bus/cloudevents.ts writes them. */
const cloudEvent = {
  type: 'object',
  description: 'The attributes of a CloudEvents 1.0 event in binary mode, and the trace it belongs to.',
  required: ['ce_specversion', 'ce_id', 'ce_type', 'ce_source', 'ce_time', 'ce_sequence', 'content-type'],
  properties: {
    ce_specversion: { type: 'string', const: '1.0' },
    ce_id: { type: 'string', format: 'uuid', description: 'Identifies the event for good: a repeat has the same.' },
    ce_type: { type: 'string', description: 'The kind of event.' },
    ce_source: { type: 'string', description: 'The service that emitted it.' },
    ce_time: { type: 'string', format: 'date-time', description: 'When it happened.' },
    ce_sequence: {
      type: 'string',
      pattern: '^[0-9]+$',
      description: 'Counts the events of its aggregate, so that a late or replayed one is recognised.',
    },
    'content-type': { type: 'string', const: 'application/json' },
    traceparent: { type: 'string', description: 'W3C Trace Context of the change that it tells of.' },
    tracestate: { type: 'string', description: 'W3C Trace Context, what vendors add.' },
  },
}

/** The AsyncAPI 3.0 document of the events. `consumed`: which types each consuming service handles. */
export function asyncApiDocument(
  definitions: readonly EventDefinition[],
  consumed: Record<string, readonly string[]>,
): string {
  const byTopic = Map.groupBy(definitions, ({ topic }) => topic)
  const receives = Object.entries(consumed).flatMap(([service, types]) =>
    [...byTopic].flatMap(([topic, all]) => {
      const own = all.filter(({ type }) => types.includes(type))
      return own.length > 0 ? [[`${service}-consumes-${topic}`, receive(service, topic, own)] as const] : []
    }),
  )
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Events of the shop',
      version: '1.0.0',
      description:
        'What the services tell each other. Delivered at least once, in order for each key. Consumers ignore fields and types that they do not know; fields are only ever added, as optional ones.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries([...byTopic].map(([topic, own]) => [topic, channel(topic, own)])),
    operations: Object.fromEntries([
      ...[...byTopic].map(([topic, own]) => [`${topic}-emits`, send(topic, own)] as const),
      ...receives,
    ]),
    components: {
      schemas: { CloudEvent: cloudEvent },
      messages: Object.fromEntries(definitions.map((definition) => [definition.type, message(definition)])),
    },
  }
  const yaml = stringify(document, { lineWidth: 120, aliasDuplicateObjects: false })
  return `# Written by npm run events from contracts/events.ts and the handlers of the services.\n${yaml}`
}

/** The service that emits on a topic has its name. */
function channel(topic: string, events: readonly EventDefinition[]) {
  return {
    address: topic,
    description: `What the ${topic} service tells.`,
    messages: Object.fromEntries(events.map(({ type }) => [type, { $ref: `#/components/messages/${type}` }])),
    bindings: {
      kafka: {
        partitions: partitionCount,
        topicConfiguration: { 'retention.ms': keptDays.topics * 86_400_000 },
        bindingVersion,
      },
    },
  }
}

function send(service: string, events: readonly EventDefinition[]) {
  return operation('send', service, service, events, { clientId: one(service), bindingVersion })
}

function receive(service: string, topic: string, events: readonly EventDefinition[]) {
  const bindings = { groupId: one(service), clientId: one(service), bindingVersion }
  return operation('receive', service, topic, events, bindings)
}

function operation(
  action: 'send' | 'receive',
  service: string,
  topic: string,
  events: readonly EventDefinition[],
  kafka: object,
) {
  return {
    action,
    channel: { $ref: `#/channels/${topic}` },
    summary: action === 'send' ? `What ${service} tells.` : `What ${service} acts on of what ${topic} tells.`,
    tags: [{ name: service }],
    messages: events.map(({ type }) => ({ $ref: `#/channels/${topic}/messages/${type}` })),
    bindings: { kafka },
  }
}

function message({ type, topic, key, summary, data, example }: EventDefinition) {
  const own = { ce_type: { const: type }, ce_source: { const: topic } }
  return {
    name: type,
    title: type,
    summary,
    contentType: 'application/json',
    headers: { type: 'object', allOf: [{ $ref: '#/components/schemas/CloudEvent' }, { properties: own }] },
    payload: schemaOf({ type, data }),
    bindings: {
      kafka: { key: { type: 'string', format: 'uuid', description: `The value of ${key}.` }, bindingVersion },
    },
    examples: [{ payload: example }],
  }
}

function one(value: string) {
  return { type: 'string', enum: [value] }
}
