import type { Payment } from '../domain/payment.ts'

/** Who waits in this process for what becomes of a payment. */
export function createOutcomes() {
  const waiting = new Map<string, Set<(payment: Payment) => void>>()

  return {
    /** Says what became of a payment. */
    tell(payment: Payment): void {
      for (const hear of waiting.get(payment.id) ?? []) hear(payment)
    },

    /** Listens for the outcome of a payment, from now until `end`. */
    listen(id: string) {
      const { promise: heard, resolve: hear } = Promise.withResolvers<Payment>()
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
