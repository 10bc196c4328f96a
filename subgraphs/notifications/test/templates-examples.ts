import type { Facts, OneTimeCode } from '../domain/message.ts'

const money = (amount: number) => ({ amount, currency: 'EUR' })
const at = '2026-03-03T14:05:09Z'
const number = 'K7QX-3M9T'

/** Every type of notification, in each of its forms. */
export const everyFacts: readonly Facts[] = [
  { type: 'WELCOME' },
  {
    type: 'ORDER_PLACED',
    number,
    items: [{ name: '1000', quantity: 2, unitPrice: money(1_250) }],
    total: money(2_500),
  },
  { type: 'ORDER_PAID', number, total: money(2_500) },
  ...[
    'insufficient_funds',
    'expired_card',
    'incorrect_cvc',
    'authentication_failed',
    'canceled',
    'processing_error',
    'card_declined',
  ].map((reason) => ({ type: 'PAYMENT_DECLINED', number, amount: money(2_500), reason }) as const),
  { type: 'PAYMENT_DECLINED', number: null, amount: null, reason: 'card_declined' },
  { type: 'ORDER_SHIPPED', number, trackingNumber: '12345678901234567890' },
  { type: 'ORDER_DELIVERED', number },
  ...['EXPIRED', 'REFUNDED', 'ACCOUNT_ERASED'].map(
    (reason) => ({ type: 'ORDER_CANCELLED', number, reason, by: 'SYSTEM' }) as const,
  ),
  ...['REQUESTED', '123'].map((reason) => ({ type: 'ORDER_CANCELLED', number, reason, by: 'STAFF' }) as const),
  { type: 'PAYMENT_REFUNDED', number, amount: money(2_500), full: true },
  { type: 'PAYMENT_REFUNDED', number: null, amount: money(2_500), full: false },
  { type: 'NEW_SIGN_IN', at },
  { type: 'PASSWORD_CHANGED', at },
  { type: 'EMAIL_CHANGED', at },
]

export const everyCode: readonly OneTimeCode[] = [
  { purpose: 'RESET_PASSWORD', code: 'K7QX3M9T', lifetime: 900 },
  { purpose: 'VERIFY_EMAIL', code: 'K7QX3M9T', lifetime: 900 },
]
