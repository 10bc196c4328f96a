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
  let told: { reason: unknown } | undefined
  return {
    signal: {
      get aborted() {
        return told !== undefined
      },
      get reason() {
        return told?.reason
      },
      addEventListener(_type, listener) {
        listeners ??= new Set()
        listeners.add(listener)
      },
      removeEventListener(_type, listener) {
        listeners?.delete(listener)
      },
    },
    leave(reason) {
      if (told) return
      told = { reason }
      for (const listener of listeners ?? []) listener()
      listeners = undefined
    },
  }
}
