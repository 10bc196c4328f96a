/** What messages tell, and the words that they become. */

/** Minor units of an ISO 4217 currency. */
export type Money = { readonly amount: number; readonly currency: string }

/** A BCP 47 tag, as the account chose it. Anything may come. */
export type Locale = string

/** Whom a message speaks to. */
export type Person = { readonly name: string; readonly locale: Locale }

/** Somebody of whom the users service has not told yet. */
export const stranger: Person = { name: '', locale: 'en' }

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
      /** The provider's code, such as card_declined. Anything may come. */
      readonly reason: string
    }
  | { readonly type: 'ORDER_SHIPPED'; readonly number: string; readonly trackingNumber: string }
  | { readonly type: 'ORDER_DELIVERED'; readonly number: string }
  | {
      readonly type: 'ORDER_CANCELLED'
      readonly number: string
      /** EXPIRED, REFUNDED, ACCOUNT_ERASED, REQUESTED, or a person's words. Empty when nobody gave any. */
      readonly reason: string
      /** Who cancelled it. Undefined where an event of old does not tell. */
      readonly by?: 'CUSTOMER' | 'STAFF' | 'SYSTEM' | undefined
    }
  | {
      readonly type: 'PAYMENT_REFUNDED'
      readonly number: string | null
      readonly amount: Money
      /** Whether all that was paid is given back now. */
      readonly full: boolean
    }
  /** `at` is an ISO 8601 instant. */
  | { readonly type: 'NEW_SIGN_IN'; readonly at: string }
  | { readonly type: 'PASSWORD_CHANGED'; readonly at: string }
  | { readonly type: 'EMAIL_CHANGED'; readonly at: string }

export type NotificationType = Facts['type']

/** The words of a message. */
export type Text = {
  /** One line without control characters: subject, title of a push message. */
  readonly title: string
  /** The whole text without markup: in-app, and the text part of an e-mail. */
  readonly body: string
  /** The same as a complete HTML document, for e-mail. */
  readonly html: string
  /** One line for SMS and push, with the essentials: at most 160 UTF-16 units, 70 in Chinese. */
  readonly short: string
}

/** A one-time code to be mailed. Only a message ever holds it. */
export type OneTimeCode = {
  readonly purpose: 'RESET_PASSWORD' | 'VERIFY_EMAIL'
  readonly code: string
  /** Seconds that the code is good for. */
  readonly lifetime: number
}
