import { z } from 'zod'
import type { EventDefinition } from '#contracts/events.ts'

/** JSON Schema, draft 7, as far as zod writes it. */
export type JsonSchema = {
  [keyword: string]: unknown
  type?: string | string[]
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
}

/** What is written down of an event, to be compared with what it is later. */
export type EventShape = { type: string; topic: string; key: string; data: JsonSchema }

/** Keywords that explain and decide nothing. */
const words = ['description', 'title', 'examples', 'default', 'deprecated']
/** Zod checks a little more than an id's form, at length, and of every integer that it is exact: neither is worth reading. */
const uuidPattern = z.toJSONSchema(z.uuid()).pattern
const exact = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }

/**
 * The JSON Schema of what a sender may write. Throws for a rule that JSON Schema cannot say: it could change and nobody
 * would notice.
 */
export function schemaOf({ type, data }: Pick<EventDefinition, 'type' | 'data'>): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(data, {
    io: 'input',
    target: 'draft-7',
    override({ zodSchema, jsonSchema, path }) {
      if (isUnsayable(zodSchema)) throw new Error(`${type}: JSON Schema cannot say what ${path.join('.')} asks for.`)
      if (jsonSchema.format === 'uuid' && jsonSchema.pattern === uuidPattern) delete jsonSchema.pattern
      if (jsonSchema.minimum === exact.minimum) delete jsonSchema.minimum
      if (jsonSchema.maximum === exact.maximum) delete jsonSchema.maximum
    },
  })
  return schema as JsonSchema
}

export function shapeOf({ type, topic, key, data }: EventDefinition): EventShape {
  return { type, topic, key, data: withoutWords(schemaOf({ type, data })) }
}

function isUnsayable({ _zod: { def } }: z.core.$ZodType): boolean {
  if (['pipe', 'transform', 'catch', 'custom'].includes(def.type) || ('coerce' in def && def.coerce)) return true
  return def.checks?.some((check) => check._zod.def.check === 'custom') ?? false
}

function withoutWords({ properties, items, ...schema }: JsonSchema): JsonSchema {
  const keywords = Object.entries(schema).filter(([keyword]) => !words.includes(keyword))
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, withoutWords(field)])
  return {
    ...Object.fromEntries(keywords),
    ...(properties && { properties: Object.fromEntries(fields) }),
    ...(items && { items: withoutWords(items) }),
  }
}
