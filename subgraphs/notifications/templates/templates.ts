import type { Facts, OneTimeCode, Person, Text } from '../domain/message.ts'
import { clip, given, unmarked } from './given.ts'
import { layOutHtml, layOutText } from './layout.ts'
import { type Language, type Reading, readingOf } from './locale.ts'
import { chinese } from './words/chinese.ts'
import { english } from './words/english.ts'
import type { DeclineReason, ShopReason, Shown, Words } from './words/words.ts'

const words: Record<Language, Words> = { en: english, 'zh-Hans': chinese }

/** Lines of an order that a message lists. It says how many more there are. */
const listed = 20
/** UTF-16 units that are shown of what somebody gave. As long as a service lets it be, but for names of products. */
const longest = { name: 100, productName: 100, number: 40, trackingNumber: 100, reason: 200, code: 100 }

/** Pure: the same facts for the same person give the same text. Throws RangeError for what is no currency or no instant. */
export function renderNotification(facts: Facts, person: Person): Text {
  const reading = readingOf(person.locale)
  const { greeting, longestShort, notification, row } = words[reading.language]
  const name = given(person.name, longest.name)
  const { title, short, blocks } = notification(show(facts, reading))
  const parts = { title, greeting: greeting(name), blocks }
  return {
    title: unmarked(title),
    body: layOutText(parts, row),
    html: layOutHtml(parts, reading.language),
    short: clip(unmarked(short), longestShort, '...'),
  }
}

/** The mail with a one-time code, which is in its body alone, never in its title. Pure. */
export function renderCode(
  { purpose, code, lifetime }: OneTimeCode,
  person: Person,
): Pick<Text, 'title' | 'body' | 'html'> {
  const { language } = readingOf(person.locale)
  const own = words[language]
  const minutes = Math.max(0, Math.floor(lifetime / 60))
  const { title, blocks } = own.code({ purpose, code: given(code, longest.code), minutes })
  const parts = { title, greeting: own.greeting(given(person.name, longest.name)), blocks }
  return { title: unmarked(title), body: layOutText(parts, own.row), html: layOutHtml(parts, language) }
}

/** The one place where facts become what is shown. */
function show(facts: Facts, { money, time }: Reading): Shown {
  const { type } = facts
  switch (type) {
    case 'WELCOME':
      return { type }
    case 'ORDER_PLACED': {
      const items = facts.items.slice(0, listed).map(({ name, quantity, unitPrice }) => ({
        name: given(name, longest.productName),
        quantity,
        price: money({ ...unitPrice, amount: unitPrice.amount * quantity }),
      }))
      const more = facts.items.length - items.length
      return { type, number: shownNumber(facts), items, more, total: money(facts.total) }
    }
    case 'ORDER_PAID':
      return { type, number: shownNumber(facts), total: money(facts.total) }
    case 'PAYMENT_DECLINED': {
      const amount = facts.amount ? money(facts.amount) : ''
      return { type, number: shownNumber(facts), amount, reason: declineReasons.get(facts.reason) ?? 'REFUSED' }
    }
    case 'ORDER_SHIPPED':
      return {
        type,
        number: shownNumber(facts),
        trackingNumber: given(facts.trackingNumber, longest.trackingNumber),
      }
    case 'ORDER_DELIVERED':
      return { type, number: shownNumber(facts) }
    case 'ORDER_CANCELLED':
      return { type, number: shownNumber(facts), reason: cancelReason(facts) }
    case 'PAYMENT_REFUNDED':
      return { type, number: shownNumber(facts), amount: money(facts.amount), full: facts.full }
    case 'NEW_SIGN_IN':
    case 'PASSWORD_CHANGED':
    case 'EMAIL_CHANGED':
      return { type, at: time(facts.at) }
  }
}

function shownNumber({ number }: { number: string | null }): string {
  return given(number ?? '', longest.number)
}

type OrderCancelled = Extract<Facts, { type: 'ORDER_CANCELLED' }>
type ShownCancelled = Extract<Shown, { type: 'ORDER_CANCELLED' }>

const shopReasons: readonly ShopReason[] = ['EXPIRED', 'REFUNDED', 'ACCOUNT_ERASED']

/** What a customer wrote is not repeated: nobody has proven that the address or number that it would go to is theirs. */
function cancelReason({ reason, by }: OrderCancelled): ShownCancelled['reason'] {
  const known = shopReasons.find((one) => one === reason)
  if (known && by !== 'CUSTOMER') return known
  const said = by === 'STAFF' && reason !== 'REQUESTED' ? given(reason, longest.reason) : ''
  return said ? { words: said } : null
}

/**
 * Stripe's codes, which the sandbox speaks too. What is not here is REFUSED: a stolen card is not told so, as Stripe asks.
 * https://docs.stripe.com/declines/codes
 */
const declineReasons = new Map<string, DeclineReason>(
  Object.entries({
    insufficient_funds: 'FUNDS',
    expired_card: 'EXPIRED',
    incorrect_cvc: 'DETAILS',
    invalid_cvc: 'DETAILS',
    incorrect_number: 'DETAILS',
    invalid_number: 'DETAILS',
    invalid_expiry_month: 'DETAILS',
    invalid_expiry_year: 'DETAILS',
    incorrect_zip: 'DETAILS',
    incorrect_pin: 'DETAILS',
    authentication_required: 'UNCONFIRMED',
    authentication_failed: 'UNCONFIRMED',
    payment_intent_authentication_failure: 'UNCONFIRMED',
    canceled: 'ABANDONED',
    processing_error: 'TROUBLE',
    issuer_not_available: 'TROUBLE',
    try_again_later: 'TROUBLE',
    reenter_transaction: 'TROUBLE',
  } as const),
)
