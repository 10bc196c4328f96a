import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { EventHandler } from '#platform/bus/bus.ts'
import { toRecord } from '#platform/bus/cloudevents.ts'
import { createDelivery } from '#platform/bus/delivery.ts'
import { silentLog as log } from '#platform/log.ts'
import { consumers } from '../../tools/events/consumers.ts'
import { type JsonSchema, schemaOf } from '../../tools/events/schemas.ts'
import { root } from '../../tools/services.ts'
import { type EventDefinition, events } from '../events.ts'

const definitions: readonly EventDefinition[] = events

test('every event has a name of its own, a meaning, and an example that parses and says its key', () => {
  assert.equal(new Set(definitions.map(({ type }) => type)).size, definitions.length)
  for (const { type, topic, key, summary, data, example, of } of definitions) {
    assert.match(type, /^[a-z]+\.[a-z_]+$/)
    assert.match(summary, /^[A-Z].+\.$/, type)
    assert.deepEqual(data.parse(example), example, type)
    assert.deepEqual(of(example), { type, topic, key: (example as Record<string, unknown>)[key], data: example })
  }
})

test('every event drops the fields that it does not know', () => {
  for (const { type, data, example } of definitions) {
    assert.deepEqual(data.parse(withUnknownFields(example)), example, type)
  }
})

test('every field says what it means, and is in the example', () => {
  for (const definition of definitions) {
    const fields = fieldsOf(schemaOf(definition))
    const silent = fields.filter(({ schema }) => !schema.description).map(({ path }) => path)
    assert.deepEqual(silent, [], definition.type)
    const shown = fields.filter(({ path }) => valueAt(definition.example, path) !== undefined)
    assert.deepEqual(shown, fields, definition.type)
  }
})

test('a topic has the name of the one service that emits on it', () => {
  const names = new Map(
    [...globSync('contracts/events/*.ts', { cwd: root })].flatMap((file) =>
      [...read(file).matchAll(/export const (\w+) = defineEvent\('([\w.]+)'/g)].map(([, name, type]) => [name, type]),
    ),
  )
  assert.deepEqual([...names.values()].sort(), definitions.map(({ type }) => type).sort())
  const emitted = globSync('subgraphs/**/*.ts', { cwd: root })
    .filter((file) => !file.includes('/test/'))
    .flatMap((file) => [...read(file).matchAll(/\b(\w+)\.of\(/g)].map(([, name]) => ({ file, type: names.get(name) })))
  for (const { type, topic } of definitions) {
    const services = new Set(emitted.filter((use) => use.type === type).map(({ file }) => file.split('/')[1]))
    assert.deepEqual([...services], [topic], type)
  }
})

describe('a consumer', () => {
  test('is every service that has handlers', () => {
    const services = globSync('subgraphs/*/events.ts', { cwd: root }).map((file) => file.split('/')[1])
    assert.deepEqual(Object.keys(consumers).sort(), services.sort())
  })

  for (const [group, createHandlers] of Object.entries(consumers)) {
    test(`${group} ignores unknown fields, wherever they are`, async () => {
      const { handlers, told, deliver } = consume(group, createHandlers)
      for (const { type } of handlers) {
        const { topic, example } = definitionOf(type)
        await deliver(type, topic, example)
        const known = told.splice(0)
        await deliver(type, topic, withUnknownFields(example))
        const unknown = told.splice(0)
        assert.ok(known.length > 0, type)
        assert.deepEqual(unknown, known, type)
      }
    })

    test(`${group} passes over unknown types`, async () => {
      const { handlers, told, deliver } = consume(group, createHandlers)
      for (const topic of new Set(handlers.map((handler) => handler.topic))) {
        await deliver('thing.unheard_of', topic, { anything: [1, null] })
      }
      assert.deepEqual(told, [])
    })
  }
})

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function definitionOf(type: string): EventDefinition {
  const definition = definitions.find((known) => known.type === type)
  return definition ?? assert.fail(`${type} is no event`)
}

/** A consumer whose use cases only note what they are called with. A dead letter fails the test, as a repeat does. */
function consume(
  group: string,
  createHandlers: (service: never, onRecorded: () => void) => EventHandler[],
): {
  handlers: EventHandler[]
  told: unknown[]
  deliver: (type: string, topic: string, data: unknown) => Promise<void>
} {
  const told: unknown[] = []
  const service = new Proxy(
    {},
    {
      get:
        (_, name) =>
        async (...given: unknown[]) =>
          void told.push([name, ...given]),
    },
  )
  const handlers = createHandlers(service as never, () => {})
  const deadLetter = async () => assert.fail('a dead letter')
  const deliverRecord = createDelivery({ group, handlers, deadLetter, log })
  const [id, time] = [randomUUID(), new Date()]
  return {
    handlers,
    told,
    async deliver(type, topic, data) {
      const event = { id, type, topic, key: 'k', source: topic, time, sequence: 1, data }
      assert.equal(await deliverRecord(toRecord(event), { topic, partition: 0, offset: '0' }), 0)
    },
  }
}

/** Every field of a body, with its path. */
function fieldsOf({ properties = {}, items }: JsonSchema, parent = ''): { path: string; schema: JsonSchema }[] {
  const inItems = items ? fieldsOf(items, `${parent}0.`) : []
  return [
    ...inItems,
    ...Object.entries(properties).flatMap(([name, schema]) => [
      { path: parent + name, schema },
      ...fieldsOf(schema, `${parent}${name}.`),
    ]),
  ]
}

function valueAt(value: unknown, path: string): unknown {
  return path.split('.').reduce((at: unknown, name) => (at as Record<string, unknown> | undefined)?.[name], value)
}

/** The same with a field more in every object. */
function withUnknownFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnknownFields)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, field]) => [name, withUnknownFields(field)])
  return { ...Object.fromEntries(fields), fromTheFuture: { at: 'any', time: 1 } }
}
