/** What the sandbox does with a means of payment. Stripe's names do as they do there; `pm_sandbox_...` make trouble. */
export type Behaviour = {
  /** `captured` is told a moment later, by callback; the others at once too. */
  readonly outcome: 'captured' | 'declined' | 'requires_action'
  /** Why it is declined. */
  readonly reason?: string
  /** Seconds until it is captured. Default 0. */
  readonly delay?: number
  /** How often each callback is sent. Default 1. */
  readonly copies?: number
  /** Whether a callback about an earlier state comes after the last one. */
  readonly reordered?: boolean
  /** Whether it is captured at once without an answer. Asked again, it answers. */
  readonly silent?: boolean
  /** What becomes of its refunds: told at once, or a moment later by callback. Default `succeeded` at once. */
  readonly refunds?: 'succeeded later' | 'failed later'
}

const declined = (reason: string): Behaviour => ({ outcome: 'declined', reason })
const captured = (trouble: Omit<Behaviour, 'outcome'> = {}): Behaviour => ({ outcome: 'captured', ...trouble })

const methods: Readonly<Record<string, Behaviour>> = {
  pm_card_visa: captured(),
  pm_card_mastercard: captured(),
  pm_card_visa_chargeDeclined: declined('card_declined'),
  pm_card_chargeDeclined: declined('card_declined'),
  pm_card_visa_chargeDeclinedInsufficientFunds: declined('insufficient_funds'),
  pm_card_chargeDeclinedInsufficientFunds: declined('insufficient_funds'),
  pm_card_chargeDeclinedExpiredCard: declined('expired_card'),
  pm_card_authenticationRequired: { outcome: 'requires_action' },
  pm_card_pendingRefund: captured({ refunds: 'succeeded later' }),
  pm_card_refundFail: captured({ refunds: 'failed later' }),
  pm_sandbox_duplicate: captured({ copies: 3 }),
  pm_sandbox_reorder: captured({ reordered: true }),
  pm_sandbox_timeout: captured({ silent: true }),
  pm_sandbox_lost: captured({ silent: true, copies: 0 }),
}

const delayed = /^pm_sandbox_delay_(\d{1,4})$/

/** Undefined for a name that the sandbox does not know. */
export function behaviourOf(method: string): Behaviour | undefined {
  const [, seconds] = delayed.exec(method) ?? []
  if (seconds !== undefined) return captured({ delay: Number(seconds) })
  return Object.hasOwn(methods, method) ? methods[method] : undefined
}
