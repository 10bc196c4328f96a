import type { OneTimeCode } from '../../domain/message.ts'

/** A line of a list: what, and how much or which. */
export type Row = { readonly label: string; readonly value: string }

/** A part of a message: a paragraph, a list, a code on a line of its own, or a remark in small print. */
export type Block =
  | string
  | { readonly rows: readonly Row[]; readonly more?: string | undefined; readonly total?: Row }
  | { readonly code: string }
  | { readonly note: string }

/** A message before it is laid out. What was given is marked in it. */
export type Draft = { readonly title: string; readonly short: string; readonly blocks: readonly Block[] }

/** Why a payment was declined, as far as it helps the payer. */
export type DeclineReason = 'FUNDS' | 'EXPIRED' | 'DETAILS' | 'UNCONFIRMED' | 'ABANDONED' | 'TROUBLE' | 'REFUSED'

/** Why the shop itself cancelled an order. */
export type ShopReason = 'EXPIRED' | 'REFUNDED' | 'ACCOUNT_ERASED'

/** The facts as they are shown: given text marked, money and time written out, codes known. */
export type Shown =
  | { readonly type: 'WELCOME' }
  | {
      readonly type: 'ORDER_PLACED'
      readonly number: string
      readonly items: readonly { readonly name: string; readonly quantity: number; readonly price: string }[]
      /** How many lines the list leaves out. */
      readonly more: number
      readonly total: string
    }
  | { readonly type: 'ORDER_PAID'; readonly number: string; readonly total: string }
  | {
      readonly type: 'PAYMENT_DECLINED'
      readonly number: string
      readonly amount: string
      readonly reason: DeclineReason
    }
  | { readonly type: 'ORDER_SHIPPED'; readonly number: string; readonly trackingNumber: string }
  | { readonly type: 'ORDER_DELIVERED'; readonly number: string }
  | {
      readonly type: 'ORDER_CANCELLED'
      readonly number: string
      /** Null when there is none, or none to be repeated. */
      readonly reason: ShopReason | { readonly words: string } | null
    }
  | { readonly type: 'PAYMENT_REFUNDED'; readonly number: string; readonly amount: string; readonly full: boolean }
  | { readonly type: 'NEW_SIGN_IN'; readonly at: string }
  | { readonly type: 'PASSWORD_CHANGED'; readonly at: string }
  | { readonly type: 'EMAIL_CHANGED'; readonly at: string }

export type ShownCode = {
  readonly purpose: OneTimeCode['purpose']
  readonly code: string
  /** Whole minutes that it is good for, never more than there are. */
  readonly minutes: number
}

/** All the words of one language. Optional facts are empty strings. */
export type Words = {
  /** UTF-16 units that a short text has at most: one SMS where the alphabet allows it. */
  readonly longestShort: number
  greeting(name: string): string
  notification(shown: Shown): Draft
  code(shown: ShownCode): Omit<Draft, 'short'>
  /** A row on a line of plain text. */
  row(row: Row): string
}
