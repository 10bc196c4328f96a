import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import type { EventDefinition } from '#contracts/events.ts'
import { compareEvents } from '../events/compatibility.ts'
import { shapeOf } from '../events/schemas.ts'

/** An event as it is recorded. */
const id = z.uuid()
const line = z.object({ sku: z.string(), note: z.string().optional() })
const before = {
  id,
  name: z.string(),
  code: z.string().min(2).max(8),
  note: z.string().optional(),
  phone: z.string().nullable(),
  color: z.enum(['RED', 'BLUE']),
  kind: z.literal('THING'),
  count: z.int().nonnegative(),
  share: z.number().max(1),
  total: z.object({ amount: z.int(), currency: z.string().length(3) }),
  lines: z.array(line).min(1).max(9),
  tags: z.array(z.string()),
  at: z.iso.datetime(),
  symbol: z.string().regex(/^[A-Z]+$/),
  either: z.union([z.string(), line]),
  anything: z.unknown().optional(),
}
type Fields = Record<string, z.ZodType>

const shape = (fields: Fields, given: Partial<EventDefinition> = {}) =>
  shapeOf({ type: 'thing.made', topic: 'things', key: 'id', data: z.object(fields), ...given } as EventDefinition)
const changed = (fields: Fields, given?: Partial<EventDefinition>) =>
  compareEvents([shape(before)], [shape({ ...before, ...fields }, given)])
const without = (name: keyof typeof before): Fields =>
  Object.fromEntries(Object.entries(before).filter(([field]) => field !== name))

const inLog = 'events that are in the log already would be refused.'
const notAnew = 'consumers that are not deployed anew would refuse it.'

/** Each way to break somebody: what is other than before, and what is said of it. */
const breaking: Record<string, [Fields, string]> = {
  'a field made required': [{ note: z.string() }, `note is required now and was optional: ${inLog}`],
  'a new field that is required': [{ size: z.int() }, `size is new and required: ${inLog}`],
  'a new field that is required in an object': [
    { total: before.total.extend({ tax: z.int() }) },
    `total.tax is new and required: ${inLog}`,
  ],
  'a field made required in a list': [
    { lines: z.array(line.required()).min(1).max(9) },
    `lines[].note is required now and was optional: ${inLog}`,
  ],
  'a field gone from an object': [
    { total: before.total.omit({ currency: true }) },
    'total.currency is gone, removed or renamed: its consumers would miss it.',
  ],
  'a required field made optional': [{ name: z.string().optional() }, `name may be absent now: ${notAnew}`],
  'a value taken out of an enum': [{ color: z.enum(['RED']) }, `color may not be "BLUE" any more: ${inLog}`],
  'a value added to an enum': [{ color: z.enum(['RED', 'BLUE', 'GREEN']) }, `color may be "GREEN" now: ${notAnew}`],
  'a string that becomes an enum': [{ name: z.enum(['A']) }, `name may be nothing but "A" now: ${inLog}`],
  'an enum that becomes a string': [{ color: z.string() }, `color may be more than "RED", "BLUE" now: ${notAnew}`],
  'another literal': [{ kind: z.literal('OTHER') }, `kind may not be "THING" any more: ${inLog}`],
  'a higher minimum': [{ count: z.int().min(1) }, `count has minimum 1 now, 0 before: ${inLog}`],
  'a lower minimum': [{ count: z.int().min(-1) }, `count has minimum -1 now, 0 before: ${notAnew}`],
  'no minimum': [{ count: z.int() }, `count has minimum none now, 0 before: ${notAnew}`],
  'a lower maximum': [{ share: z.number().max(0.5) }, `share has maximum 0.5 now, 1 before: ${inLog}`],
  'a higher maximum': [{ share: z.number().max(2) }, `share has maximum 2 now, 1 before: ${notAnew}`],
  'a new maximum': [{ count: z.int().min(0).max(9) }, `count has maximum 9 now, none before: ${inLog}`],
  'a multiple': [{ count: z.int().min(0).multipleOf(5) }, `count has multipleOf 5 now, none before: ${inLog}`],
  'a greater length at the least': [{ code: z.string().min(3).max(8) }, `code has minLength 3 now, 2 before: ${inLog}`],
  'a smaller length at the most': [{ code: z.string().min(2).max(7) }, `code has maxLength 7 now, 8 before: ${inLog}`],
  'a list that may be empty': [{ lines: z.array(line).max(9) }, `lines has minItems none now, 1 before: ${notAnew}`],
  'a list that may not be as long': [
    { lines: z.array(line).min(1).max(5) },
    `lines has maxItems 5 now, 9 before: ${inLog}`,
  ],
  'a list of something else': [{ tags: z.array(z.int()) }, `tags[] is integer now, string before: ${inLog}`],
  'a format': [{ name: z.iso.date() }, `name has format "date" now, none before: ${inLog}`],
  'another pattern': [
    { symbol: z.string().regex(/^[A-F]+$/) },
    `symbol has pattern "^[A-F]+$" now, "^[A-Z]+$" before: ${inLog}`,
  ],
  'no pattern': [{ symbol: z.string() }, `symbol has pattern none now, "^[A-Z]+$" before: ${notAnew}`],
  'null taken away': [{ phone: z.string() }, `phone may not be null any more: ${inLog}`],
  'null allowed': [{ name: z.string().nullable() }, `name may be null now: ${notAnew}`],
  'an integer from a number': [{ share: z.int().max(1) }, `share is integer now, number before: ${inLog}`],
  'a number from an integer': [{ count: z.number().min(0) }, `count is number now, integer before: ${notAnew}`],
  'a string from an integer': [{ count: z.string() }, `count is string now, integer before: ${inLog}`],
  'one type more': [
    { name: z.union([z.string(), z.boolean()]) },
    `name is boolean or string now, string before: ${notAnew}`,
  ],
  'something definite from anything': [
    { anything: z.string().optional() },
    `anything is string now, of any type before: ${inLog}`,
  ],
  'an object from a string': [{ name: z.object({}) }, `name is object now, string before: ${inLog}`],
  'an object that refuses unknown fields': [
    { total: z.strictObject(before.total.shape) },
    `total has additionalProperties false now, none before: ${inLog}`,
  ],
}

describe('refused, with the event, the field and the reason', () => {
  for (const [what, [fields, sentence]] of Object.entries(breaking)) {
    test(what, () => assert.ok(changed(fields).breaks.includes(`thing.made: ${sentence}`), changed(fields).breaks[0]))
  }

  const gone = 'is gone, removed or renamed: its consumers would miss it.'
  for (const name of ['name', 'note'] as const) {
    test(`a field removed that was ${name === 'note' ? 'optional' : 'required'}`, () =>
      assert.deepEqual(compareEvents([shape(before)], [shape(without(name))]).breaks, [`thing.made: ${name} ${gone}`]))
  }

  test('a field renamed', () => {
    const { breaks, additions } = compareEvents([shape(before)], [shape({ ...without('note'), remark: before.note })])
    assert.deepEqual([breaks, additions], [[`thing.made: note ${gone}`], ['thing.made: remark is new.']])
  })

  test('a choice of types that offers others', () =>
    assert.match(
      changed({ either: z.union([z.int(), line]) }).breaks[0] ?? '',
      /^thing\.made: either has anyOf .+ now, /,
    ))

  test('an event removed', () =>
    assert.deepEqual(compareEvents([shape(before)], []).breaks, [
      'thing.made: the event is gone, removed or renamed: its consumers would wait for it in vain.',
    ]))

  test('an event renamed', () => {
    const { breaks, additions } = changed({}, { type: 'thing.created' })
    assert.match(breaks[0] ?? '', /^thing\.made: the event is gone, removed or renamed/)
    assert.deepEqual(additions, ['thing.created: the event is new.'])
  })

  test('another topic', () =>
    assert.deepEqual(changed({}, { topic: 'others' }).breaks, [
      'thing.made: its topic is others now, things before: its consumers would not see it.',
    ]))

  test('another key', () =>
    assert.deepEqual(changed({}, { key: 'name' }).breaks, [
      'thing.made: its key is name now, id before: events would lose their order.',
    ]))
})

/** What may be done, and what is recorded of it. */
const harmless: Record<string, [Fields, string[]]> = {
  'nothing changed': [{}, []],
  'an optional field': [{ size: z.int().optional() }, ['thing.made: size is new.']],
  'an optional field that may be null': [{ size: z.int().nullish() }, ['thing.made: size is new.']],
  'an optional field in an object': [
    { total: before.total.extend({ tax: z.int().optional() }) },
    ['thing.made: total.tax is new.'],
  ],
  'an optional field in the objects of a list': [
    {
      lines: z
        .array(line.extend({ name: z.string().optional() }))
        .min(1)
        .max(9),
    },
    ['thing.made: lines[].name is new.'],
  ],
  'another description': [{ name: before.name.describe('What it is called.') }, []],
  'a default of what was optional': [{ note: z.string().default('') }, []],
  'fields in another order': [Object.fromEntries(Object.entries(before).reverse()), []],
  'the values of an enum in another order': [{ color: z.enum(['BLUE', 'RED']) }, []],
  'an enum of one value from a literal': [{ kind: z.enum(['THING']) }, []],
}

describe('allowed, and recorded', () => {
  for (const [what, [fields, additions]] of Object.entries(harmless)) {
    test(what, () => assert.deepEqual(changed(fields), { breaks: [], additions }))
  }

  test('a new event', () => {
    const { breaks, additions } = compareEvents([shape(before)], [shape(before), shape({ id }, { type: 'thing.sold' })])
    assert.deepEqual([breaks, additions], [[], ['thing.sold: the event is new.']])
  })
})

test('a rule that JSON Schema cannot say is refused: it could change and nobody would notice', () => {
  const unsayable: Record<string, z.ZodType> = {
    'a check of its own': z.string().refine((text) => text !== 'no'),
    'a change of the value': z.string().transform(Number),
    'a value in place of a wrong one': z.string().catch(''),
    'a value made from another': z.coerce.number(),
  }
  for (const [what, name] of Object.entries(unsayable)) {
    assert.throws(
      () => shape({ id, name }),
      { message: 'thing.made: JSON Schema cannot say what properties.name asks for.' },
      what,
    )
  }
})
