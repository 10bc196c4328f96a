import { isDeepStrictEqual } from 'node:util'
import type { EventShape, JsonSchema } from './schemas.ts'

/** What differs from what was recorded: what breaks somebody, and what is merely new, a sentence each. */
export type Differences = { breaks: string[]; additions: string[] }

/** Whom a change breaks. docs/adr/0014 says why both count. */
const refusedNow = 'events that are in the log already would be refused'
const refusedBefore = 'consumers that are not deployed anew would refuse it'

/** Rules of which a greater number refuses more, and those of which a smaller one does. */
const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems']
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems']

/**
 * Compares events with what was recorded of them.
 *
 * Guarantee: where nothing breaks, whoever knows the events as recorded parses what is sent now, and whoever knows them as
 * they are now parses all that was ever sent.
 */
export function compareEvents(recorded: readonly EventShape[], current: readonly EventShape[]): Differences {
  const breaks: string[] = []
  const additions: string[] = []
  for (const before of recorded) {
    const { type } = before
    const after = current.find((event) => event.type === type)
    if (!after) {
      breaks.push(`${type}: the event is gone, removed or renamed: its consumers would wait for it in vain.`)
      continue
    }
    if (after.topic !== before.topic) {
      breaks.push(`${type}: its topic is ${after.topic} now, ${before.topic} before: its consumers would not see it.`)
    }
    if (after.key !== before.key) {
      breaks.push(`${type}: its key is ${after.key} now, ${before.key} before: events would lose their order.`)
    }
    const fault = (field: string, what: string, reason: string) =>
      breaks.push(`${type}: ${field || 'the body'} ${what}: ${reason}.`)
    compareSchemas(before.data, after.data, '', {
      fault,
      added: (field) => additions.push(`${type}: ${field} is new.`),
    })
  }
  for (const { type } of current) {
    if (!recorded.some((event) => event.type === type)) additions.push(`${type}: the event is new.`)
  }
  return { breaks, additions }
}

type Report = { fault: (field: string, what: string, reason: string) => void; added: (field: string) => void }

function compareSchemas(before: JsonSchema, after: JsonSchema, field: string, report: Report): void {
  const { type: typeBefore, properties, required, items, enum: _e, const: _c, ...rulesBefore } = before
  const { type: typeAfter, properties: _p, required: _r, items: itemsAfter, enum: _f, const: _d, ...rulesAfter } = after
  if (!compareTypes(typesOf(typeBefore), typesOf(typeAfter), field, report)) return
  compareValues(valuesOf(before), valuesOf(after), field, report)
  for (const rule of new Set([...Object.keys(rulesBefore), ...Object.keys(rulesAfter)])) {
    compareRule(rule, rulesBefore[rule], rulesAfter[rule], field, report)
  }
  if (properties || after.properties) compareFields(before, after, field, report)
  if (isSchema(items) && isSchema(itemsAfter)) compareSchemas(items, itemsAfter, `${field}[]`, report)
  else if (!isDeepStrictEqual(items, itemsAfter)) report.fault(field, 'has other items than before', refusedNow)
}

function compareFields(before: JsonSchema, after: JsonSchema, parent: string, report: Report): void {
  const known = before.properties ?? {}
  const own = after.properties ?? {}
  const wasRequired = (name: string) => before.required?.includes(name) ?? false
  const isRequired = (name: string) => after.required?.includes(name) ?? false
  const path = (name: string) => (parent ? `${parent}.${name}` : name)
  for (const [name, schema] of Object.entries(known)) {
    const now = own[name]
    if (!now) report.fault(path(name), 'is gone, removed or renamed', 'its consumers would miss it')
    else compareSchemas(schema, now, path(name), report)
    if (!now || wasRequired(name) === isRequired(name)) continue
    if (wasRequired(name)) report.fault(path(name), 'may be absent now', refusedBefore)
    else report.fault(path(name), 'is required now and was optional', refusedNow)
  }
  for (const name of Object.keys(own)) {
    if (name in known) continue
    if (isRequired(name)) report.fault(path(name), 'is new and required', refusedNow)
    else report.added(path(name))
  }
}

/** False where the types are so different that comparing more says nothing more. */
function compareTypes(before: readonly string[], after: readonly string[], field: string, report: Report): boolean {
  const [kinds = [], kindsNow = []] = [before, after].map((types) => types.filter((type) => type !== 'null'))
  if (before.includes('null') && !after.includes('null')) report.fault(field, 'may not be null any more', refusedNow)
  if (!before.includes('null') && after.includes('null')) report.fault(field, 'may be null now', refusedBefore)
  if (isDeepStrictEqual(kinds, kindsNow)) return true
  const stays = (kind: string) => kindsNow.includes(kind) || (kind === 'integer' && kindsNow.includes('number'))
  const isWider = kindsNow.length === 0 || (kinds.length > 0 && kinds.every(stays))
  const [was, is] = [kinds, kindsNow].map((types) => types.join(' or ') || 'of any type')
  report.fault(field, `is ${is} now, ${was} before`, isWider ? refusedBefore : refusedNow)
  return false
}

/** Undefined where any value may stand. */
function compareValues(
  before: readonly unknown[] | undefined,
  after: readonly unknown[] | undefined,
  field: string,
  report: Report,
): void {
  const gone = before?.filter((value) => !after?.includes(value)) ?? []
  const added = after?.filter((value) => !before?.includes(value)) ?? []
  if (!before && after) report.fault(field, `may be nothing but ${list(after)} now`, refusedNow)
  else if (before && !after) report.fault(field, `may be more than ${list(before)} now`, refusedBefore)
  else if (gone.length > 0) report.fault(field, `may not be ${list(gone)} any more`, refusedNow)
  else if (added.length > 0) report.fault(field, `may be ${list(added)} now`, refusedBefore)
}

function compareRule(rule: string, before: unknown, after: unknown, field: string, report: Report): void {
  if (isDeepStrictEqual(before, after)) return
  const what = `has ${rule} ${written(after)} now, ${written(before)} before`
  report.fault(field, what, isLooser(rule, before, after) ? refusedBefore : refusedNow)
}

/** Whether a changed rule refuses less. One that is merely another refuses something that was allowed. */
function isLooser(rule: string, before: unknown, after: unknown): boolean {
  if (after === undefined) return true
  if (typeof before !== 'number' || typeof after !== 'number') return false
  return (lowerBounds.includes(rule) && after < before) || (upperBounds.includes(rule) && after > before)
}

function typesOf(type: JsonSchema['type']): string[] {
  return type === undefined ? [] : [type].flat().sort()
}

function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  if ('const' in schema) return [schema.const]
  return Array.isArray(schema.enum) ? schema.enum : undefined
}

function isSchema(items: unknown): items is JsonSchema {
  return typeof items === 'object' && items !== null && !Array.isArray(items)
}

function list(values: readonly unknown[]): string {
  return values.map(written).join(', ')
}

function written(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value)
}
