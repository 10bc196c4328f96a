import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Facts, Text } from '../domain/message.ts'
import { palette } from '../templates/layout.ts'
import { readingOf } from '../templates/locale.ts'
import { renderCode, renderNotification } from '../templates/templates.ts'
import { everyCode, everyFacts } from './templates-examples.ts'

type Mail = Omit<Text, 'short'> & { short?: string }

const inEnglish = { name: '007', locale: 'en-GB' }
const inChinese = { name: '007', locale: 'zh-CN' }
const everyMail = (person: typeof inEnglish): Mail[] => [
  ...everyFacts.map((facts) => renderNotification(facts, person)),
  ...everyCode.map((code) => renderCode(code, person)),
]
/** What is read of a document. */
const readable = (html: string) => html.replace(/<style>[\s\S]*?<\/style>/, '').replaceAll(/<[^>]*>/g, ' ')

describe('every message', () => {
  for (const person of [inEnglish, inChinese]) {
    test(`is complete in ${person.locale}, and says what no other says`, () => {
      const mails = everyMail(person)
      for (const { title, body, html, short = '' } of mails) {
        for (const text of [title, body, html, short]) assert.doesNotMatch(text, /undefined|null|NaN|\[object|Invalid/)
        assert.match(body, /007/)
        assert.ok(title.length > 2 && body.length > title.length)
      }
      assert.equal(new Set(mails.map(({ body }) => body)).size, mails.length)
    })
  }

  test('has no word of another language', () => {
    // What stands in Chinese as it does in English: order number, code, currency, time zone.
    const international = /K7QX-3M9T|K7QX3M9T|UTC/g
    for (const mail of everyMail(inChinese)) {
      for (const text of [mail.title, mail.body, mail.short ?? '', readable(mail.html)]) {
        assert.doesNotMatch(text.replaceAll(international, '').replaceAll(/&#\d+;/g, ''), /[A-Za-z]/)
      }
    }
    for (const mail of everyMail(inEnglish)) {
      assert.doesNotMatch([mail.title, mail.body, mail.short, mail.html].join(), /\p{Script=Han}|[，。：；]/u)
    }
  })

  test('is a document in its language with one heading, its title, and nothing from elsewhere', () => {
    for (const [person, language] of [
      [inEnglish, 'en'],
      [inChinese, 'zh-Hans'],
    ] as const) {
      for (const { title, html } of everyMail(person)) {
        assert.ok(html.startsWith(`<!doctype html>\n<html lang="${language}" dir="ltr">`))
        assert.deepEqual(
          [...html.matchAll(/<h1[^>]*>(.*?)<\/h1>/g)].map(([, heading = '']) => heading.replaceAll(/<\/?bdi>/g, '')),
          [title],
        )
        assert.ok(html.includes(`<title>${title}</title>`))
        assert.doesNotMatch(html, /<(img|script|link|table|a|iframe)\b|https?:|url\(|@import/i)
      }
    }
  })

  test('says as plain text all that its document says, in the same order', () => {
    for (const person of [inEnglish, inChinese]) {
      for (const { title, body, html } of everyMail(person)) {
        const words = (text: string) => text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
        const main = words(html.slice(html.indexOf('</h1>')).replaceAll(/<[^>]*>/g, ''))
        const letters = (text: string) => text.replaceAll(/[\s:：]/g, '')
        assert.equal(letters(main), letters(body), title)
      }
    }
  })

  test('is short enough for one SMS: 160 characters of its alphabet in English, 70 in Chinese', () => {
    const gsm = /^[\n\r !-Z_a-z£¥€]*$/
    for (const facts of everyFacts) {
      const { short } = renderNotification(facts, inEnglish)
      assert.match(short, gsm)
      // The euro sign counts twice.
      assert.ok(short.length + short.split('€').length - 1 <= 160, short)
      assert.ok(renderNotification(facts, inChinese).short.length <= 70)
    }
    const facts = { type: 'ORDER_SHIPPED', number: '1'.repeat(40), trackingNumber: '9'.repeat(100) } as const
    assert.match(renderNotification(facts, inEnglish).short, /^.{157}\.\.\.$/)
    assert.match(renderNotification(facts, inChinese).short, /^.{67}\.\.\.$/)
  })
})

test('text stands out from its ground by 4.5 to 1, in light and in dark', () => {
  for (const { page, card, code, text, quiet } of Object.values(palette)) {
    for (const ground of [page, card, code]) assert.ok(contrast(text, ground) >= 4.5)
    assert.ok(contrast(quiet, card) >= 4.5)
  }
  assert.equal(contrast('#000000', '#ffffff'), 21)
})

describe('a locale', () => {
  const languages = {
    'zh-Hans': [
      'zh',
      'zh-CN',
      'zh-Hans',
      'zh-Hans-HK',
      'zh-hans-tw',
      'zh-SG',
      'ZH-cn',
      'zh-MY',
      'cmn-CN',
      'zh-u-nu-hanidec',
    ],
    en: ['en', 'en-GB', 'de', 'ar-EG', 'ja-JP', 'zh-TW', 'zh-Hant', 'zh-HK', 'zh-Hant-CN', 'zh-Latn', 'yue', 'und'],
    'en, being malformed,': ['', 'zh_CN', 'x', '..', 'zh-', 'chinese language', '\0', 'a'.repeat(10_000), '__proto__'],
  }
  for (const [language, locales] of Object.entries(languages)) {
    test(`reads ${language} where it should`, () => {
      for (const locale of locales) assert.equal(readingOf(locale).language, language.split(',')[0], locale)
    })
  }

  test('writes money with the digits of ISO 4217, as the language does in the region', () => {
    const table: [locale: string, amount: number, currency: string, written: string][] = [
      ['en-US', 123_456, 'USD', '$1,234.56'],
      ['en-GB', 123_456, 'USD', 'US$1,234.56'],
      ['en-GB', 5, 'GBP', '£0.05'],
      ['en-IN', 12_345_678, 'INR', '₹1,23,456.78'],
      ['de', 123_456, 'EUR', '€1,234.56'],
      ['de-CH', 123_456, 'CHF', 'CHF 1’234.56'],
      ['ar-EG', 123_456, 'EUR', '€1,234.56'],
      ['en', 1_234, 'JPY', '¥1,234'],
      ['en', 1_234, 'BHD', 'BHD 1.234'],
      ['en', 1_234, 'IQD', 'IQD 1.234'],
      ['en', 250_000, 'HUF', 'HUF 2,500.00'],
      ['en', 250_000, 'COP', 'COP 2,500.00'],
      ['en', 12_345, 'CLF', 'CLF 1.2345'],
      ['en', 0, 'EUR', '€0.00'],
      ['en', 2_147_483_647, 'EUR', '€21,474,836.47'],
      ['zh-CN', 123_456, 'CNY', '¥1,234.56'],
      ['zh-CN', 1_234, 'JPY', 'JP¥1,234'],
      ['zh-SG', 123_456, 'CNY', 'CN¥1,234.56'],
    ]
    for (const [locale, amount, currency, written] of table) {
      assert.equal(readingOf(locale).money({ amount, currency }).replace("'", '’'), written, `${locale} ${currency}`)
    }
    assert.throws(() => readingOf('en').money({ amount: 1, currency: '?' }), RangeError)
  })

  test('writes times in UTC and says so', () => {
    const table = {
      'en-US': 'March 3, 2026 at 2:05 PM UTC',
      'en-GB': '3 March 2026 at 14:05 UTC',
      de: '3 March 2026 at 14:05 UTC',
      'zh-CN': '2026年3月3日 UTC 14:05',
    }
    for (const [locale, written] of Object.entries(table)) {
      assert.equal(readingOf(locale).time('2026-03-03T14:05:09Z'), written)
      assert.equal(readingOf(locale).time('2026-03-03T16:05:09+02:00'), written)
    }
    assert.throws(() => readingOf('en').time('yesterday'), RangeError)
  })
})

test('an order of 100 lines lists 20 of them, and says how many more there are and what they all cost', () => {
  const items = Array.from({ length: 100 }, (_, index) => ({
    name: `<${index}>${'"'.repeat(1_000)}`,
    quantity: 2,
    unitPrice: { amount: 1_250, currency: 'EUR' },
  }))
  const facts: Facts = { type: 'ORDER_PLACED', number: 'K7QX-3M9T', items, total: { amount: 250_000, currency: 'EUR' } }
  const { title, body, html } = renderNotification(facts, { name: 'x'.repeat(10_000), locale: 'en' })
  assert.equal(body.match(/^ {2}2 × <\d+>"+…: €25\.00$/gm)?.length, 20)
  assert.match(body, /\n {2}and 80 more\n\nTotal: €2,500\.00\n/)
  assert.equal(html.match(/<li /g)?.length, 22)
  assert.ok(title.length < 100 && body.length < 5_000 && html.length < 20_000, `${body.length} ${html.length}`)
  const few = renderNotification({ ...facts, items: items.slice(0, 20) }, { name: 'Eve', locale: 'zh' })
  assert.doesNotMatch(few.body, /另有/)
  assert.match(renderNotification(facts, { name: 'Eve', locale: 'zh' }).body, /\n {2}另有 80 项\n\n合计：€2,500\.00\n/)
})

test('a declined payment tells what helps its payer, and repeats no code of the provider', () => {
  const body = (reason: string) =>
    renderNotification({ type: 'PAYMENT_DECLINED', number: null, amount: null, reason }, inEnglish).body
  assert.match(body('expired_card'), /The card has expired\./)
  for (const reason of ['stolen_card', 'fraudulent', 'constructor', '__proto__', '']) {
    assert.equal(body(reason), body('card_declined'))
  }
})

test('a code stands on a line of its own in the body alone, with the whole minutes it is good for and what to do unasked', () => {
  for (const code of everyCode) {
    const mail = (lifetime: number, locale = 'en') => renderCode({ ...code, lifetime }, { name: 'Eve', locale })
    const { title, body } = mail(900)
    assert.ok(body.startsWith('Hello Eve,\n'))
    for (const locale of ['en', 'zh']) {
      const lines = mail(900, locale).body.split('\n')
      assert.equal(lines.filter((line) => line === 'K7QX3M9T').length, 1)
    }
    assert.ok(!title.includes('K7QX3M9T'))
    assert.match(body, /good for 15 minutes/)
    assert.match(mail(119).body, /good for 1 minute,/)
    assert.match(mail(59).body, /good for less than a minute,/)
    assert.match(mail(119, 'zh').body, /有效期：1 分钟，/)
    assert.match(mail(59, 'zh').body, /有效期：不到 1 分钟，/)
    assert.match(body, /If you did not ask for it, .*do nothing/is)
  }
})

/** WCAG 2.2, of two colours as #rrggbb. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(colour.slice(start, start + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
