import { LRUCache } from 'lru-cache'
import { jittered, type Loaded, type Remembered, type Shelf, type ShelfOptions } from './shelf.ts'

/** What one cache remembers in one process at the most: entries, and bytes of their ids and their JSON. */
const mostEntries = 10_000
const mostBytes = 32 * 1024 * 1024
/** Bytes of an entry beside its id and its value. */
const entrySize = 100

/**
 * Remembers in the memory of this process. Whoever loads is told of what is written meanwhile, so that nothing has to be
 * kept of what was written before.
 */
export function createMemoryShelf<Value extends object>({ time, absentTime }: ShelfOptions<Value>): Shelf<Value> {
  const entries = new LRUCache<string, Remembered<Value> & { version: number }>({
    max: mostEntries,
    maxSize: mostBytes,
    sizeCalculation: ({ value }, id) => entrySize + id.length + (value ? JSON.stringify(value).length : 0),
  })
  /** For each load that is under way, the versions that its ids must have at least. */
  const loads = new Set<Map<string, number>>()

  function remember({ id, version, value }: Loaded<Value>): void {
    const there = entries.get(id)
    if (there && there.version > version) return
    entries.set(id, { version, value }, { ttl: jittered(value === undefined ? absentTime : time()) })
  }

  return {
    read: async (ids) => ids.map((id) => entries.get(id)),
    async lead(ids) {
      const least = new Map(ids.map((id) => [id, 0]))
      loads.add(least)
      return {
        ids,
        async store(found) {
          loads.delete(least)
          for (const loaded of found) if (loaded.version >= (least.get(loaded.id) ?? 0)) remember(loaded)
        },
        async release() {
          loads.delete(least)
        },
      }
    },
    async invalidate(id, version) {
      for (const least of loads) {
        const before = least.get(id)
        if (before !== undefined && before < version) least.set(id, version)
      }
      const there = entries.get(id)
      if (there && there.version < version) entries.delete(id)
    },
  }
}
