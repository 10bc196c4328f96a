import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Facts, OneTimeCode, Text } from '../domain/message.ts'
import { renderCode, renderNotification } from '../templates/templates.ts'
import { everyFacts } from './templates-examples.ts'

type Mail = Omit<Text, 'short'> & { short?: string }

/** What somebody gave, in every place where it is shown. */
const money = { amount: 2_500, currency: 'EUR' }
const shownIn: Record<string, (given: string) => Facts | OneTimeCode> = {
  'the number of an order': (number) => ({ type: 'ORDER_PAID', number, total: money }),
  'the number of a declined order': (number) => ({ type: 'PAYMENT_DECLINED', number, amount: money, reason: number }),
  'the name of a product': (name) => ({
    type: 'ORDER_PLACED',
    number: 'N',
    items: [{ name, quantity: 1, unitPrice: money }],
    total: money,
  }),
  'a tracking number': (trackingNumber) => ({ type: 'ORDER_SHIPPED', number: 'N', trackingNumber }),
  'the reason of staff': (reason) => ({ type: 'ORDER_CANCELLED', number: 'N', reason, by: 'STAFF' }),
  'a code': (code) => ({ purpose: 'RESET_PASSWORD', code, lifetime: 60 }),
}
const render = (facts: Facts | OneTimeCode, name: string, locale: string): Mail =>
  'type' in facts ? renderNotification(facts, { name, locale }) : renderCode(facts, { name, locale })

const attacks = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' style='position:fixed",
  '</title></style></p></main><!--',
  '<![CDATA[',
  ']]>',
  '&lt;b&gt;&#60;b&#62;&amp',
  '</bdi><bdi dir=rtl>',
  '\r\nBcc: all@example.com\r\n\r\nbody',
  '\n.\n',
  '\0',
  '\u0085',
  '\u2028',
  '\u2029',
  '\u202egnp.exe\u202c',
  '\u2066\u2067\u2068',
  '\u2069\u2069',
  '\u200f\u061c',
  '\u200b\ufeff\u00ad',
  'עברית',
  'العربية',
  '\ud800',
  '\udfff',
  '😀👩‍👩‍👧',
  '$&$1$`',
  '%0d%0a',
  '\u001b[31m',
]
/** Begins with a letter, so that there is something to see. */
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...attacks), fc.string({ unit: 'binary', maxLength: 20 })), { maxLength: 12 })
  .map((parts) => `x${parts.join('')}`)

/** Tags as a parser finds them: from any < to the next >. None of our attributes holds a >. */
const tags = (html: string) => html.match(/<[^>]*>?/g) ?? []
const unseen = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u00ad]/u

for (const [place, factsOf] of Object.entries(shownIn)) {
  test(`${place} is text and nothing else: no tag or attribute comes of it, whatever it is`, () => {
    fc.assert(
      fc.property(hostile, hostile, fc.constantFrom('en', 'zh'), (given, name, locale) => {
        const harmless = render(factsOf('x'), 'x', locale)
        const { html } = render(factsOf(given), name, locale)
        assert.deepEqual(tags(html), tags(harmless.html))
        // Outside of tags every & begins a reference, and no quotation mark stands.
        const text = html.replace(/<style>[\s\S]*?<\/style>/, '').replaceAll(/<[^>]*>/g, '')
        assert.doesNotMatch(text, /["'<>]|&(?!#\d+;)/)
      }),
    )
  })

  test(`${place} breaks no line and turns no reading order, and a title stays one line`, () => {
    fc.assert(
      fc.property(hostile, hostile, fc.constantFrom('en', 'zh'), (given, name, locale) => {
        const harmless = render(factsOf('x'), 'x', locale)
        const text = render(factsOf(given), name, locale)
        assert.doesNotMatch(text.title, unseen)
        assert.doesNotMatch(text.body.replaceAll('\n', ''), unseen)
        assert.doesNotMatch(text.html.replaceAll('\n', ''), unseen)
        assert.equal(text.body.split('\n').length, harmless.body.split('\n').length)
        for (const part of Object.values(text)) assert.ok(part.isWellFormed())
        if (text.short !== undefined) {
          assert.doesNotMatch(text.short, unseen)
          assert.ok(text.short.length <= (locale === 'en' ? 160 : 70))
        }
        assert.ok(text.title.length <= 200 && text.html.length < 8_000)
      }),
    )
  })
}

test('given text arrives as it was meant: letters of every script, quotation marks, joined emoji', () => {
  for (const name of ["O'Brien & Söhne <3", 'عائشة', '王小明', 'नेहा', 'مى\u200cخواهم', '👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿']) {
    const { body, html } = renderNotification({ type: 'WELCOME' }, { name, locale: 'en' })
    assert.ok(body.startsWith(`Hello ${name},\n`))
    const [, shown = ''] = /<bdi>(.*?)<\/bdi>/.exec(html) ?? []
    assert.equal(
      shown.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(code)),
      name,
    )
  }
})

test('who has nothing to be seen for a name is greeted without one, and a reason without anything to see is none', () => {
  for (const [locale, greeting] of [
    ['en', 'Hello,\n'],
    ['zh', '您好：\n'],
  ] as const) {
    const { body } = renderNotification({ type: 'WELCOME' }, { name: ' \u202e\u200b\n', locale })
    assert.ok(body.startsWith(greeting))
  }
  const cancelled = (reason: string) =>
    renderNotification({ type: 'ORDER_CANCELLED', number: 'N', reason, by: 'STAFF' }, { name: 'Eve', locale: 'en' })
      .body
  assert.equal(cancelled('\u202e'), cancelled('REQUESTED'))
  assert.equal(cancelled(''), cancelled('REQUESTED'))
})

test('a message repeats no words of the customer but the name by which it greets, and that not in its title or short text', () => {
  const words = 'You won! Call +1 555 0100'
  for (const locale of ['en', 'zh']) {
    const cancelled = (reason: string, by?: 'CUSTOMER' | 'STAFF') =>
      renderNotification({ type: 'ORDER_CANCELLED', number: 'N', reason, by }, { name: 'Eve', locale })
    const plain = cancelled('REQUESTED')
    for (const reason of [words, 'EXPIRED']) assert.deepEqual(cancelled(reason, 'CUSTOMER'), plain)
    assert.deepEqual(cancelled(words), plain, 'an event of old does not tell whose they are')
    assert.ok(cancelled(words, 'STAFF').body.includes(words))
    for (const facts of everyFacts) {
      const { title, short, body } = renderNotification(facts, { name: words.repeat(100), locale })
      for (const text of [title, short]) assert.ok(!text.includes(words), text)
      assert.ok(body.split(words).length <= 5, 'at most 100 letters of it')
    }
  }
})
