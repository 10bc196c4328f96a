import { createDeparture, type Departure } from '#platform/departure.ts'
import { hasCode } from '#platform/errors.ts'
import { timedOut } from '#platform/mask.ts'

/** A fetch on its way, and those who wait for it. */
type Flight<T> = {
  readonly answer: Promise<T>
  /** When it ends at the latest, in milliseconds since the epoch. */
  readonly end: number
  /** The changes that had ended when it began. */
  readonly changes: number
  waiting: number
  readonly leave: (reason: unknown) => void
}

export type Waiter = {
  /** Until when it waits, in milliseconds since the epoch. */
  readonly end: number
  /** Tells when its client is gone. */
  readonly signal?: Departure | undefined
}

/** Counts the changes that this process has passed on, whatever came of them. */
export function createChanges() {
  let ended = 0
  return {
    get ended(): number {
      return ended
    },
    onEnd(): void {
      ended += 1
    },
  }
}

export type Changes = ReturnType<typeof createChanges>

/**
 * Lets those who ask one subgraph the same at the same time wait for one fetch. What is the same is the caller's to say, by a key
 * that holds all that an answer may depend on.
 *
 * Guarantees: each waiter ends when its own time is over or its client is gone, and takes nobody along; the fetch ends when the last
 * of them has left. A fetch that ended with the time of whoever began it is made again for those who have time left. Nobody joins
 * a fetch that began before a change ended: whoever changed something sees it.
 */
export function createSharing<T>({ name, changes }: { name: string; changes: Changes }) {
  const flights = new Map<string, Flight<T>>()

  function begin(key: string, { end }: Waiter, fetch: (signal: Departure) => Promise<T>): Flight<T> {
    const { signal, leave } = createDeparture()
    const answer = fetch(signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key)
    })
    const flight: Flight<T> = { answer, end, changes: changes.ended, waiting: 0, leave }
    flights.set(key, flight)
    return flight
  }

  function wait(key: string, flight: Flight<T>, { end, signal }: Waiter): Promise<T> {
    flight.waiting += 1
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      let waits = true
      function done(tell: () => void): void {
        if (!waits) return
        waits = false
        clearTimeout(timer)
        signal?.removeEventListener('abort', onGone)
        flight.waiting -= 1
        tell()
      }
      function depart(reason: unknown): void {
        done(() => reject(reason))
        if (flight.waiting > 0) return
        // Whoever asks from now on begins anew.
        if (flights.get(key) === flight) flights.delete(key)
        flight.leave(reason)
      }
      const onGone = () => depart(signal?.reason)
      if (end < flight.end) timer = setTimeout(() => depart(timedOut(name)), end - Date.now())
      signal?.addEventListener('abort', onGone)
      flight.answer.then(
        (answer) => done(() => resolve(answer)),
        (error) => done(() => reject(error)),
      )
    })
  }

  return async function share(key: string, waiter: Waiter, fetch: (signal: Departure) => Promise<T>): Promise<T> {
    for (;;) {
      if (waiter.signal?.aborted) throw waiter.signal.reason
      const known = flights.get(key)
      const joined = known !== undefined && known.changes === changes.ended
      const flight = joined ? known : begin(key, waiter, fetch)
      try {
        return await wait(key, flight, waiter)
      } catch (error) {
        const othersTime = joined && flight.end < waiter.end && hasCode(error, 'SUBGRAPH_TIMEOUT')
        if (!othersTime || Date.now() >= waiter.end || waiter.signal?.aborted) throw error
      }
    }
  }
}

export type Share<T> = ReturnType<typeof createSharing<T>>
