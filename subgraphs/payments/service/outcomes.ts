/** Who waits in this process for what becomes of a payment. */
export function createOutcomes() {
  const waiting = new Map<string, Set<() => void>>()

  return {
    /** Says that a payment has an outcome. */
    tell(id: string): void {
      for (const hear of waiting.get(id) ?? []) hear()
    },

    /** Listens for the outcome of a payment, from now until `end`. */
    listen(id: string) {
      const { promise: heard, resolve: hear } = Promise.withResolvers<void>()
      const all = waiting.get(id) ?? new Set()
      waiting.set(id, all.add(hear))
      return {
        heard,
        end(): void {
          all.delete(hear)
          if (all.size === 0) waiting.delete(id)
        },
      }
    },
  }
}

export type Outcomes = ReturnType<typeof createOutcomes>
