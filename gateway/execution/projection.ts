import type { GraphQLError } from 'graphql'
import { type Data, own } from '../objects.ts'
import { isPlain, type Plain } from './leaves.ts'

/** A null whose reason is told already. */
export const failed = Symbol('failed')
/** The same, where none may be: what holds it is null too. */
export const propagated = Symbol('propagated')

/** An answer that is being made. */
export type Answering = {
  readonly errors: GraphQLError[]
  readonly variables: Readonly<Record<string, unknown>>
  /** Where the value at hand stands, up to its depth. What is beyond is left over from others. */
  readonly at: (string | number)[]
}

/** The value as the client gets it, null, or one of the two above. */
export type CompleteValue = (value: unknown, key: string | number, answering: Answering) => unknown

/** A field that an object is asked for, by the name it is answered under. */
export type Field = {
  readonly name: string
  /** The name under which subgraphs answered it. */
  readonly source: string
  /** Whether every object has something by that name. */
  readonly inherited: boolean
  /** Values that need no other look. */
  readonly plain: Plain | undefined
  readonly complete: CompleteValue
}

/**
 * An object with the fields that it is asked for. One that has them, in that order, and nothing else is its own answer: nothing is
 * copied. `ordinary` says that none of them is inherited, or answered under another name.
 */
export function completeObject(
  value: Data,
  fields: readonly Field[],
  ordinary: boolean,
  answering: Answering,
): Data | typeof failed {
  if (!ordinary) return completeRest(Object.create(null), value, fields, 0, answering)
  let count = 0
  let whole = true
  for (const name in value) {
    const field = fields[count]
    if (field?.name !== name) {
      whole = false
      break
    }
    const found = value[name]
    if (!isPlain(field.plain, found)) {
      const result = field.complete(found, name, answering)
      if (result === propagated) return failed
      if (result !== found) {
        const completed = firstOf(value, fields, count)
        completed[name] = result === failed ? null : result
        return completeRest(completed, value, fields, count + 1, answering)
      }
    }
    count++
  }
  if (whole && count === fields.length) return value
  return completeRest(firstOf(value, fields, count), value, fields, count, answering)
}

/** The first fields of an object that are complete as they are. */
function firstOf(value: Data, fields: readonly Field[], count: number): Data {
  const completed: Data = {}
  for (let at = 0, field = fields[0]; field && at < count; field = fields[++at])
    completed[field.name] = value[field.name]
  return completed
}

function completeRest(
  completed: Data,
  value: Data,
  fields: readonly Field[],
  first: number,
  answering: Answering,
): Data | typeof failed {
  for (let at = first, field = fields[at]; field; field = fields[++at]) {
    const { name, source, inherited, plain, complete } = field
    const found = inherited ? own(value, source) : value[source]
    if (isPlain(plain, found)) completed[name] = found
    else {
      const result = complete(found, name, answering)
      if (result === propagated) return failed
      completed[name] = result === failed ? null : result
    }
  }
  return completed
}
