import type { Payment, PaymentFact } from '../domain/payment.ts'
import type { Refund, RefundFact } from '../domain/refund.ts'

/** What a provider says in a callback: its name of it, and what it tells. Undefined when that is nothing of ours. */
export type ProviderCallback = {
  readonly id: string
  readonly fact: ({ readonly about: 'payment' } & PaymentFact) | ({ readonly about: 'refund' } & RefundFact) | undefined
}

/**
 * Whoever moves the money. Two implementations, one contract (test/contract/payment-provider.ts):
 * - what is asked for twice under one id is done once: a payment's id and a refund's id are idempotency keys;
 * - a refusal is a fact (`declined`, `failed`); a call that throws tells nothing of what was done;
 * - a callback is believed for its signature over the bytes that came, made at most 5 minutes ago.
 */
export type Provider = {
  /** Asks for the money. */
  pay(payment: Payment): Promise<PaymentFact>
  /** Its name of a payment, by our id. Undefined where it was never asked for that, or a moment ago. */
  find(payment: Payment): Promise<string | undefined>
  /** How a payment stands that the provider has named. */
  lookUp(payment: Payment & { reference: string }): Promise<PaymentFact>
  /** Gives up a payment that nobody wants any more. One that is captured stays so, and the fact tells. */
  cancel(payment: Payment & { reference: string }): Promise<PaymentFact>
  /** Gives money back, or tells how a refund stands that was asked for before. */
  refund(payment: Payment & { reference: string }, refund: Refund): Promise<RefundFact>
  /** Reads a callback. Throws UNAUTHENTICATED for one that is forged, altered or too old. */
  readCallback(body: Buffer, headers: CallbackHeaders): ProviderCallback
  close(): Promise<unknown>
}

export type CallbackHeaders = Readonly<Record<string, string | string[] | undefined>>
