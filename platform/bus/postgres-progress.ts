import type { Session } from '../database/session.ts'

/** Milliseconds after which it is written down how far a member came: what a crash repeats, without effect. */
const commitTime = 200

export type Partition = { topic: string; partition: number }

/** How far a member came with its partitions, which it writes down for the next one. `onDue` is told when it is time to. */
export function createProgress({ group, onDue }: { group: string; onDue: () => void }) {
  const positions = new Map<string, string>()
  const uncommitted = new Set<string>()
  let wait: NodeJS.Timeout | undefined

  function stopWaiting(): void {
    clearTimeout(wait)
    wait = undefined
  }

  return {
    /** The next offset of a partition. Undefined before anything of it was handled. */
    next: (name: string) => positions.get(name),

    handled(name: string, offset: string): void {
      positions.set(name, String(BigInt(offset) + 1n))
      uncommitted.add(name)
      wait ??= setTimeout(() => {
        wait = undefined
        onDue()
      }, commitTime).unref()
    },

    isDue: (): boolean => wait === undefined && uncommitted.size > 0,

    /** Writes down what is not written down yet. */
    async commit(session: Session): Promise<void> {
      stopWaiting()
      const names = [...uncommitted]
      uncommitted.clear()
      if (names.length === 0) return
      await session.query(commitStatement, [
        group,
        names.map((name) => parse(name).topic),
        names.map((name) => parse(name).partition),
        names.map((name) => positions.get(name)),
      ])
    },

    /** Forgets a partition that is another's now, or all of them. */
    forget(name?: string): void {
      if (name !== undefined) {
        positions.delete(name)
        uncommitted.delete(name)
        return
      }
      stopWaiting()
      positions.clear()
      uncommitted.clear()
    },
  }
}

export function nameOf({ topic, partition }: Partition): string {
  return `${topic}/${partition}`
}

export function parse(name: string): Partition {
  const slash = name.lastIndexOf('/')
  return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) }
}

/** Never backwards: a member that lost a partition without knowing cannot undo what the next one did. */
const commitStatement = `
  INSERT INTO bus_offsets AS o (group_name, topic, partition, next_offset)
  SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[])
  ON CONFLICT (group_name, topic, partition)
    DO UPDATE SET next_offset = excluded.next_offset WHERE o.next_offset < excluded.next_offset`
