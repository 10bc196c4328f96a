/** Minor units of an ISO 4217 currency. */
export type Money = { readonly amount: number; readonly currency: string }

/** What a notification tells, by its type: facts, no words. */
export type Facts =
  | { readonly type: 'WELCOME' }
  | {
      readonly type: 'ORDER_PLACED'
      readonly number: string
      readonly items: readonly { readonly name: string; readonly quantity: number; readonly unitPrice: Money }[]
      readonly total: Money
    }
  | { readonly type: 'ORDER_PAID'; readonly number: string; readonly total: Money }
  | {
      readonly type: 'PAYMENT_DECLINED'
      readonly number: string | null
      readonly amount: Money | null
      readonly reason: string
    }
  | { readonly type: 'ORDER_SHIPPED'; readonly number: string; readonly trackingNumber: string }
  | { readonly type: 'ORDER_DELIVERED'; readonly number: string }
  | { readonly type: 'ORDER_CANCELLED'; readonly number: string; readonly reason: string }
  | { readonly type: 'PAYMENT_REFUNDED'; readonly number: string | null; readonly amount: Money; readonly full: boolean }
  | { readonly type: 'NEW_SIGN_IN'; readonly at: string }
  | { readonly type: 'PASSWORD_CHANGED'; readonly at: string }

export type NotificationType = Facts['type']

/** Whom the words are for. */
export type Person = { readonly name: string; readonly locale: string }

/** The words of a message. */
export type Text = {
  /** One line. */
  readonly title: string
  /** The whole text without markup. */
  readonly body: string
  /** A complete HTML document. */
  readonly html: string
  /** The essentials in one sentence, for SMS and push. */
  readonly short: string
}

/** What a one-time code is for. */
export type CodePurpose = 'RESET_PASSWORD' | 'VERIFY_EMAIL'

export type OneTimeCode = {
  readonly purpose: CodePurpose
  readonly code: string
  /** Seconds that the code is good for. */
  readonly lifetime: number
}
