/** Tells that nobody waits any more. An AbortSignal is one. */
export type Departure = {
  readonly aborted: boolean
  /** What the work ends with. */
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/**
 * A departure to be told once. Made for each request, where an AbortController with its events costs more than all that
 * mostly comes of it, nothing.
 */
export function createDeparture(): { readonly signal: Departure; leave(reason: unknown): void } {
  let listeners: Set<() => void> | undefined
  const signal = {
    aborted: false,
    reason: undefined as unknown,
    addEventListener(_type: 'abort', listener: () => void) {
      listeners ??= new Set()
      listeners.add(listener)
    },
    removeEventListener(_type: 'abort', listener: () => void) {
      listeners?.delete(listener)
    },
  }
  function leave(reason: unknown): void {
    if (signal.aborted) return
    signal.aborted = true
    signal.reason = reason
    for (const listener of listeners ?? []) listener()
    listeners = undefined
  }
  return { signal, leave }
}
