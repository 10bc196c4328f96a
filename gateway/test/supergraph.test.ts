import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'graphql'
import { linkedFeatures, specifications, withoutSecurity } from '../supergraph.ts'

const schema = (...links: string[]) =>
  `schema @link(url: "https://specs.apollo.dev/link/v1.0") ${links.join(' ')} { query: Query } type Query { a: Int }`

test('a supergraph that asks for security that we do not enforce stops the start', () => {
  for (const feature of ['confidential/v0.1', 'requiresScopes/v0.2', 'authenticated/v1.0']) {
    const asking = schema(`@link(url: "https://specs.apollo.dev/${feature}", for: SECURITY)`)
    assert.throws(
      () => withoutSecurity(asking, 'file'),
      new RegExp(`does not enforce: https://specs.apollo.dev/${feature.replace('/', ' ')}`),
    )
  }
})

test("a feature is known by whose it is: another's of the same name is not ours", () => {
  const foreign = schema('@link(url: "https://specs.example.com/authenticated/v0.1", for: SECURITY)')
  assert.throws(
    () => withoutSecurity(foreign, 'file'),
    /does not enforce: https:\/\/specs\.example\.com\/authenticated v0\.1/,
  )
})

test('the features that we enforce are no longer marked, all else stays, with what @apollo/gateway enforces', () => {
  const link = (rest: string) =>
    `@link(url: "https://specs.apollo.dev/policy/v0.1", ${rest}import: [{ name: "@policy", as: "@rule" }])`
  const others = [
    '@link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)',
    '@link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)',
    '@link(url: "https://example.com/tag/v0.3")',
  ]
  const stripped = parse(withoutSecurity(schema(...others, link('for: SECURITY, ')), 'file'), { noLocation: true })
  assert.deepEqual(stripped, parse(schema(...others, link('')), { noLocation: true }))
})

test('a directive is known by the name that the schema gives it', () => {
  const nameIn = (rest: string) =>
    linkedFeatures(parse(schema(`@link(url: "https://specs.apollo.dev/authenticated/v0.1"${rest})`))).at(-1)?.directive
  assert.equal(nameIn(''), 'authenticated')
  assert.equal(nameIn(', as: "auth"'), 'auth')
  assert.equal(nameIn(', import: ["@authenticated"]'), 'authenticated')
  assert.equal(nameIn(', import: "@authenticated"'), 'authenticated')
  assert.equal(nameIn(', as: "auth", import: ["Scope"]'), 'auth')
  assert.equal(nameIn(', import: [{ name: "@authenticated", as: "@signedIn" }]'), 'signedIn')
  assert.equal(nameIn(', as: "auth", import: ["@authenticated"]'), 'authenticated')
  assert.equal(nameIn(', as: "auth", import: [{ name: "@authenticated" }]'), 'authenticated')
  assert.equal(nameIn(', as: "auth", import: [{ name: "@authenticated", as: "@signedIn" }]'), 'signedIn')
})

test('a specification is known by its address, however it is written', () => {
  for (const url of ['https://SPECS.apollo.dev/policy/v0.1', 'https://specs.apollo.dev:443/policy/v0.1#@policy']) {
    assert.equal(linkedFeatures(parse(schema(`@link(url: "${url}")`))).at(-1)?.identity, `${specifications}/policy`)
  }
})

test('a directive that is not named as its feature is known by its import, or by the name of the feature before it', () => {
  const nameIn = (rest: string) =>
    linkedFeatures(parse(schema(`@link(url: "https://specs.apollo.dev/cost/v0.1"${rest})`)))
      .at(-1)
      ?.nameOf('listSize')
  assert.equal(nameIn(''), 'cost__listSize')
  assert.equal(nameIn(', as: "price"'), 'price__listSize')
  assert.equal(nameIn(', import: ["@listSize"]'), 'listSize')
  assert.equal(nameIn(', as: "price", import: [{ name: "@listSize", as: "@length" }]'), 'length')
})
