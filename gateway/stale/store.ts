import { LRUCache } from 'lru-cache'

/** A value that a subgraph answered. */
export type Kept = {
  readonly value: unknown
  /** When it was asked for, in milliseconds of a clock that never goes back. */
  readonly at: number
  readonly bytes: number
}

/** What is remembered of one entity as one subgraph tells of it, by what was asked. */
export type KeptEntity = {
  readonly type: string
  readonly fields: Map<string, Kept>
  bytes: number
  /** When it was last renewed, and by which fetch. */
  renewed: { readonly at: number; readonly by: unknown }
}

type Held = { entities: number; bytes: number }

/** Values of one entity, of which the first go for further ones. Where fields have arguments there may be any number of them. */
const mostFields = 64
/** Bytes that an entity and a value take besides what they hold, by measurement, rounded up. */
const entityBytes = 500
const valueBytes = 120

/** Entities by their keys, those that were used last, in so many bytes. */
export function createStaleStore({ bytes }: { bytes: number }) {
  /** By type, which the supergraph schema bounds. */
  const held = new Map<string, Held>()
  const entities = new LRUCache<string, KeptEntity>({
    maxSize: bytes,
    dispose: (entity, _key, reason) => reason !== 'set' && count(entity.type, -1, -entity.bytes),
  })

  function count(type: string, change: number, bytes: number): void {
    const total = held.get(type) ?? { entities: 0, bytes: 0 }
    total.entities += change
    total.bytes += bytes
    held.set(type, total)
  }

  return {
    get: (key: string) => entities.get(key),
    /** Puts values in the place of older ones. What was asked for later stays. */
    put(key: string, type: string, at: number, by: unknown, values: ReadonlyMap<string, unknown>): void {
      const known = entities.get(key)
      const entity = known ?? { type, fields: new Map(), bytes: entityBytes + weigh(key), renewed: { at, by } }
      const before = known ? known.bytes : 0
      for (const [name, value] of values) {
        const old = entity.fields.get(name)
        if (old && old.at > at) continue
        const kept = { value, at, bytes: valueBytes + weigh(value) }
        entity.fields.set(name, kept)
        entity.bytes += kept.bytes - (old?.bytes ?? 0)
      }
      for (const [name, { bytes }] of entity.fields) {
        if (entity.fields.size <= mostFields) break
        entity.fields.delete(name)
        entity.bytes -= bytes
      }
      entity.renewed = { at, by }
      count(type, known ? 0 : 1, entity.bytes - before)
      entities.set(key, entity, { size: entity.bytes })
    },
    forget: (key: string) => entities.delete(key),
    /** How many entities there are of each type, and how many bytes they take. */
    held: (): ReadonlyMap<string, Readonly<Held>> => held,
    /** Of all of them together. */
    get bytes(): number {
      return entities.calculatedSize
    },
  }
}

/** About how many bytes a value takes, rather more than less. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return 32 + 2 * value.length
  if (typeof value !== 'object' || value === null) return 16
  let sum = 64
  for (const inner of Object.values(value)) sum += 24 + weigh(inner)
  return sum
}
