import type { PayableOrder } from '../domain/payment.ts'
import type { Provider } from '../providers/provider.ts'
import type { PaymentsStore } from '../store.ts'

export type PaymentsDependencies = {
  store: PaymentsStore
  /** Undefined for an order that is not there. */
  findOrder: (id: string) => Promise<PayableOrder | undefined>
  provider: Provider
  now: () => Date
  newId: () => string
  /** Milliseconds that the provider has to tell what became of a payment or a refund, before it is asked. */
  patience: number
  /** Payments of one customer that may be declined in an hour. */
  mostDeclinedAnHour: () => number
  /** Milliseconds until the caller stops waiting. */
  timeLeft: () => number
  sleep: (milliseconds: number) => Promise<unknown>
  /** Told when there is something that the provider is to be asked at once. */
  onDue: () => void
  /** Told of a call to the provider that told nothing of what was done. It is made again. */
  onUnanswered: (about: { payment: string; refund?: string }, error: unknown) => void
  /** Told of what a person has to see to: money that did not go back. */
  onTrouble: (what: string, about: { payment: string; refund: string }) => void
}
