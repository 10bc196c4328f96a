import { isObject } from '../objects.ts'

/** What a subgraph answered of an entity, when it was asked for so much of it. */
export type Kept = {
  /** What was asked for. */
  readonly keys: readonly string[]
  /** In the order of the keys. Undefined: not answered. */
  values: readonly unknown[]
  /** When it was asked for, in milliseconds of a clock that never goes back. */
  at: number
  bytes: number
}

/** What is remembered of one entity as one subgraph tells of it. */
export type KeptEntity = { readonly type: string; readonly answers: Kept[]; bytes: number }

type Held = { entities: number; bytes: number }
type Generation = { readonly entities: Map<string, KeptEntity>; bytes: number }

/** Answers of one entity. Where fields have arguments it could be any number of them. */
const mostAnswers = 16
/** Bytes that an entity and an answer take besides what they hold, by measurement, rounded up. */
const entityBytes = 300
const answerBytes = 150

/**
 * Entities by their keys, in so many bytes. There are two generations: what is used moves to the younger one, and when that is full, the
 * older one goes and it takes its place. So what was used last stays, for the price of looking it up.
 */
export function createStaleStore({ bytes: most }: { bytes: number }) {
  /** Bytes of one entity. */
  const largest = most / 8
  /** Bytes of a generation, which the last entity to come may exceed. */
  const full = most / 2 - largest
  let young: Generation = { entities: new Map(), bytes: 0 }
  let old: Generation = { entities: new Map(), bytes: 0 }

  /** What is used is in the younger generation from now on. */
  function get(key: string): KeptEntity | undefined {
    const entity = young.entities.get(key)
    const older = entity ? undefined : old.entities.get(key)
    if (older) {
      forget(key)
      add(key, older)
    }
    return entity ?? older
  }

  function add(key: string, entity: KeptEntity): void {
    makeRoom()
    young.entities.set(key, entity)
    young.bytes += entity.bytes
  }

  function makeRoom(): void {
    if (young.bytes < full) return
    old = young
    young = { entities: new Map(), bytes: 0 }
  }

  function forget(key: string): void {
    for (const generation of [young, old]) {
      generation.bytes -= generation.entities.get(key)?.bytes ?? 0
      generation.entities.delete(key)
    }
  }

  return {
    get,
    /** Puts an answer in the place of an older one to the same question. One that was asked for later stays. */
    put(key: string, type: string, keys: readonly string[], values: readonly unknown[], at: number): void {
      makeRoom()
      const known = get(key)
      const entity = known ?? { type, answers: [], bytes: entityBytes + weigh(key) }
      const before = entity.bytes
      const answer = answerTo(entity, keys)
      const bytes = answerBytes + weighKeys(keys) + weigh(values)
      if (!answer) {
        if (entity.answers.length >= mostAnswers) entity.bytes -= removeOldest(entity.answers)
        entity.answers.push({ keys, values, at, bytes })
        entity.bytes += bytes
      } else if (answer.at <= at) {
        entity.bytes += bytes - answer.bytes
        answer.values = values
        answer.at = at
        answer.bytes = bytes
      }
      if (known) young.bytes += entity.bytes - before
      else add(key, entity)
      if (entity.bytes > largest) forget(key)
    },
    forget,
    /** How many entities there are of each type, and how many bytes they take. Looks at all of them. */
    held(): ReadonlyMap<string, Readonly<Held>> {
      const held = new Map<string, Held>()
      for (const { entities } of [young, old]) {
        for (const { type, bytes } of entities.values()) {
          const total = held.get(type) ?? { entities: 0, bytes: 0 }
          total.entities++
          total.bytes += bytes
          held.set(type, total)
        }
      }
      return held
    },
    /** Of all of them together. */
    get bytes(): number {
      return young.bytes + old.bytes
    },
  }
}

/** What is remembered of an entity for a question. */
export function answerTo({ answers }: KeptEntity, keys: readonly string[]): Kept | undefined {
  return (
    answers.find((answer) => answer.keys === keys) ??
    answers.find((answer) => answer.keys.length === keys.length && answer.keys.every((key, at) => key === keys[at]))
  )
}

/** The value that was asked for last, of whatever question it was a part. */
export function latest({ answers }: KeptEntity, key: string): { value: unknown; at: number } | undefined {
  let found: { value: unknown; at: number } | undefined
  for (const { keys, values, at } of answers) {
    const value = values[keys.indexOf(key)]
    if (value !== undefined && (!found || at > found.at)) found = { value, at }
  }
  return found
}

/** Answers how many bytes are free now. */
function removeOldest(answers: Kept[]): number {
  const oldest = answers.reduce((first, second) => (second.at < first.at ? second : first))
  return answers.splice(answers.indexOf(oldest), 1).reduce((sum, { bytes }) => sum + bytes, 0)
}

/** About how many bytes the keys of an answer take. Most share them with others, but an answer may be all that keeps them. */
function weighKeys(keys: readonly string[]): number {
  return keys.reduce((sum, { length }) => sum + 16 + 2 * length, 0)
}

/** About how many bytes a value takes, with the names of what it has, which clients choose: rather more than less. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return 32 + 2 * value.length
  if (!isObject(value) && !Array.isArray(value)) return 16
  let sum = 64
  if (Array.isArray(value)) for (const inner of value) sum += 8 + weigh(inner)
  else for (const name in value) sum += 24 + 2 * name.length + weigh(value[name])
  return sum
}
