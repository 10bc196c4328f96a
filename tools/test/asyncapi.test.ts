import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Parser } from '@asyncapi/parser'
import { z } from 'zod'
import { type EventDefinition, events } from '#contracts/events.ts'
import { toRecord } from '#platform/bus/cloudevents.ts'
import { consumedTypes } from '../events/consumers.ts'
import { root } from '../services.ts'

const definitions: readonly EventDefinition[] = events
const text = readFileSync(join(root, 'schema/events.asyncapi.yaml'), 'utf8')
const { document, diagnostics } = await new Parser().parse(text)

test('the document is valid AsyncAPI 3.0', () => {
  const faults = diagnostics.filter(({ severity }) => severity < 2)
  assert.deepEqual(
    faults.map(({ path, message }) => `${path.join('.')}: ${message}`),
    [],
  )
  assert.equal(document?.version(), '3.0.0')
})

test('a document that is not valid is refused', async () => {
  const { diagnostics } = await new Parser().parse(text.replace('action: send', 'action: shout'))
  assert.ok(diagnostics.some(({ severity, path }) => severity === 0 && path.includes('action')))
})

test('every event is a message on the channel of its topic, with its key and an example that its schema allows', () => {
  for (const { type, topic, key, example } of definitions) {
    const message = document?.channels().get(topic)?.messages().get(type)
    assert.ok(message, type)
    assert.deepEqual(message.examples()[0]?.payload(), example)
    const payload = z.fromJSONSchema(message.payload()?.json() ?? false)
    assert.deepEqual(payload.parse(example), example)
    assert.throws(() => payload.parse({ ...(example as object), [key]: 1 }), type)
    assert.equal(message.bindings().get('kafka')?.json().key.type, 'string')
  }
})

test('each service sends what it emits, and receives what it has handlers for', () => {
  const operations = document?.operations().all() ?? []
  const told = (action: string) =>
    operations
      .filter((operation) => operation.action() === action)
      .flatMap((operation) => {
        const service = operation.tags()[0]?.name()
        return operation
          .messages()
          .all()
          .map((message) => `${service} ${message.name()}`)
      })
      .sort()
  assert.deepEqual(told('send'), definitions.map(({ type, topic }) => `${topic} ${type}`).sort())
  const consumed = Object.entries(consumedTypes())
  assert.deepEqual(told('receive'), consumed.flatMap(([name, types]) => types.map((type) => `${name} ${type}`)).sort())
})

test('the headers of a record are those of the document', () => {
  const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a=1' }
  const about = { id: randomUUID(), type: 'order.paid', topic: 'orders', key: 'k', source: 'orders' }
  const event = { ...about, time: new Date(), sequence: 1, data: {} }
  const schema = document?.components().schemas().get('CloudEvent')?.json()
  assert.ok(typeof schema === 'object')
  assert.deepEqual(Object.keys(toRecord(event).headers).sort(), [...(schema.required ?? [])].sort())
  const all = Object.keys(toRecord({ ...event, ...trace }).headers)
  assert.deepEqual(all.sort(), Object.keys(schema.properties ?? {}).sort())
})
