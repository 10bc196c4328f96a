import { LRUCache } from 'lru-cache'
import type { Locale, Money } from '../domain/message.ts'

/** The languages that messages are written in, as BCP 47 tags. */
export type Language = 'en' | 'zh-Hans'

/** How a person reads: the language of the words, and money and time as they are written in it where the person is. */
export type Reading = {
  readonly language: Language
  money(money: Money): string
  /** `at` is an ISO 8601 instant; it is shown in UTC, and says so. */
  time(at: string): string
}

/**
 * The reading of whoever chose this locale. Never throws: what is no BCP 47 tag reads as `en`.
 *
 * Simplified Chinese for Chinese whose likely script (CLDR) is Simplified: `zh`, `zh-CN`, `zh-SG`, `zh-Hans-HK`. Every other
 * language reads English, and so does Traditional Chinese (`zh-Hant`, `zh-TW`, `zh-HK`): it is another script with other
 * words for trade, to which CLDR gives no way back to `zh`.
 *
 * Numbers and dates follow the words, not the tag alone: those of the same language in the person's region. So `de` reads English
 * as it is written in Germany (3 March 2026), never German or Arabic digits in an English sentence.
 *
 * `money` and `time` throw RangeError for what is no currency or no instant.
 */
export function readingOf(locale: Locale): Reading {
  const { language, script, region = 'US' } = likely(locale)
  const chinese = language === 'zh' && script === 'Hans'
  const tag = chinese ? `zh-Hans-${region}` : `en-${region}`
  return {
    language: chinese ? 'zh-Hans' : 'en',
    money: ({ amount, currency }) => moneyFormat(tag, currency)(amount),
    time: (at) => plainSpaces(timeFormat(tag).format(new Date(at))),
  }
}

const timeOptions = {
  year: 'numeric',
  month: 'long',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  timeZone: 'UTC',
  timeZoneName: 'short',
} as const

/** To make a format costs more than the rest of a message. */
const timeFormat = remembered((tag) => new Intl.DateTimeFormat(tag, timeOptions))

/** Of minor units. */
function moneyFormat(tag: string, currency: string): (amount: number) => string {
  return moneyFormats(`${tag} ${currency}`)
}

const moneyFormats = remembered((key) => {
  const [tag, currency = ''] = key.split(' ')
  const digits = minorDigits(currency)
  const format = new Intl.NumberFormat(tag, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  return (amount: number) => plainSpaces(format.format(amount / 10 ** digits))
})

const likely = remembered((locale: Locale) => {
  try {
    return new Intl.Locale(locale).maximize()
  } catch {
    return new Intl.Locale('en-Latn-US')
  }
})

/** Makes something of a text once, as long as it is among those that were asked for last. What throws is not remembered. */
function remembered<Made extends object>(make: (text: string) => Made): (text: string) => Made {
  const made = new LRUCache<string, Made>({ max: 200 })
  return (text) => {
    const known = made.get(text) ?? make(text)
    made.set(text, known)
    return known
  }
}

/**
 * ISO 4217, which Intl does not follow: for about twenty currencies, HUF and COP among them, ICU shows the digits in daily
 * use, and an amount of ours would read a hundred times too big.
 */
function minorDigits(currency: string): number {
  if (/^(BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF)$/i.test(currency)) return 0
  if (/^(BHD|IQD|JOD|KWD|LYD|OMR|TND)$/i.test(currency)) return 3
  return /^(CLF|UYW)$/i.test(currency) ? 4 : 2
}

/** Narrow and no-break spaces are missing in fonts, and make an SMS twice as long. */
function plainSpaces(text: string): string {
  return text.replaceAll(/\p{Zs}/gu, ' ')
}
