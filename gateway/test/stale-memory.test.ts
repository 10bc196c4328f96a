import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'graphql'
import { publicFieldsOf } from '../stale/public.ts'
import { createStaleAnswers, type Recalled } from '../stale.ts'

const supergraph = parse(`
  schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.commerce.example/cacheControl/v0.1") { query: Query }
  type Thing {
    id: ID @cacheControl(scope: PUBLIC)
    name: String @cacheControl(scope: PUBLIC)
    title: String @cacheControl(scope: PUBLIC)
    price: Int @cacheControl(scope: PUBLIC)
    weight: Int @cacheControl(scope: PUBLIC)
    buyer: String
    parts: [Part] @cacheControl(scope: PUBLIC)
    node: Node @cacheControl(scope: PUBLIC)
  }
  interface Node { id: ID @cacheControl(scope: PUBLIC) }
  type Part implements Node { id: ID @cacheControl(scope: PUBLIC) size: Int @cacheControl(scope: PUBLIC) cost: Int }
`)
/** A second of a clock that counts milliseconds. */
const s = 1_000

const namesIn = (recalled: Recalled | undefined) =>
  recalled?.entities.map((entity) => (entity ?? {}) as { name?: unknown }).map(({ name }) => name) ?? []

function open({ bytes = 1_000_000, maxAge = 60 } = {}) {
  const answers = createStaleAnswers({ bytes, maxAge: () => maxAge })
  const things = answers.by(supergraph).of('things')
  const fetchOf = (fields: string, ids: readonly unknown[], more: object = {}) => ({
    query: `query($representations:[_Any!]!){_entities(representations:$representations){...on Thing{${fields}}}}`,
    variables: { representations: ids.map((id) => ({ __typename: 'Thing', id, ...more })) },
  })
  return {
    answers,
    fetchOf,
    remember: (at: number, fields: string, ...entities: { id: string; [field: string]: unknown }[]) =>
      things.remember(
        fetchOf(
          fields,
          entities.map(({ id }) => id),
        ),
        { data: { _entities: entities } },
        at,
      ),
    recall: (at: number, fields: string, ...ids: string[]) => {
      const { entities, ages } = things.recall(fetchOf(fields, ids), at) ?? { entities: [], ages: [] }
      return JSON.parse(JSON.stringify({ entities, ages }))
    },
    things,
  }
}

test('an age is that of the oldest value, from when it was asked for', () => {
  const { remember, recall } = open()
  remember(0, 'name', { id: 'a', name: 'A' })
  remember(10 * s, 'title', { id: 'a', title: 'T' })
  assert.deepEqual(recall(30.9 * s, 'name title', 'a'), {
    entities: [{ __typename: 'Thing', name: 'A', title: 'T' }],
    ages: [30],
  })
  assert.deepEqual(recall(30.9 * s, 'title', 'a').ages, [20])
})

test('what is older than the maximum age is not answered', () => {
  const { remember, recall } = open({ maxAge: 60 })
  remember(0, 'name', { id: 'a', name: 'A' })
  remember(10 * s, 'title', { id: 'a', title: 'T' })
  assert.deepEqual(recall(65 * s, 'name title', 'a').entities, [{ __typename: 'Thing', title: 'T' }])
  assert.deepEqual(recall(71 * s, 'name title', 'a').entities, [])
})

test('an answer that was asked for earlier and comes later changes nothing', () => {
  const { remember, recall } = open()
  remember(20 * s, 'name price', { id: 'a', name: 'new', price: 2 })
  remember(10 * s, 'name', { id: 'a', name: 'old' })
  assert.deepEqual(recall(30 * s, 'name price', 'a'), {
    entities: [{ __typename: 'Thing', name: 'new', price: 2 }],
    ages: [10],
  })
})

test('an entity that is asked for all the time is renewed once a second', () => {
  const { remember, recall } = open()
  for (let at = 0; at <= 900; at += 100) remember(at, 'price', { id: 'a', price: at })
  assert.equal(recall(2 * s, 'price', 'a').entities[0].price, 0)
  remember(1 * s, 'price', { id: 'a', price: 1_000 })
  assert.equal(recall(2 * s, 'price', 'a').entities[0].price, 1_000)
})

test('however much is remembered, it stays within its bytes, and what was used last stays', () => {
  const bytes = 200_000
  const { answers, remember, recall } = open({ bytes })
  for (let index = 0; index < 5_000; index++) {
    remember(index, 'name', { id: `${index}`, name: 'x'.repeat(index % 300) })
    recall(index, 'name', '0')
    assert.ok(answers.store.bytes <= bytes)
  }
  assert.deepEqual(
    recall(5 * s, 'name', '0', '1', '4999').entities.map((entity: unknown) => entity !== null),
    [true, false, true],
  )
  const { entities = 0, bytes: held } = answers.store.held().get('Thing') ?? {}
  assert.ok(entities > 50 && entities < 500)
  assert.equal(held, answers.store.bytes)
  for (let index = 0; index < 5_000; index++) {
    remember(index * s, `title name(x: ${index % 7})`, { id: `${index % 90}`, title: 'x'.repeat(index), name: 'n' })
    assert.ok(answers.store.bytes <= bytes)
  }
  const sum = [...answers.store.held().values()].reduce((total, { bytes }) => total + bytes, 0)
  assert.equal(sum, answers.store.bytes)
  remember(6_000 * s, 'name', { id: 'huge', name: 'x'.repeat(bytes) })
  assert.deepEqual(recall(6_000 * s, 'name', 'huge').entities, [])
})

test('of one entity so many values are remembered, however many arguments there are to ask with', () => {
  const { answers, remember, recall } = open()
  for (let index = 0; index < 1_000; index++) remember(index, `name(x: ${index})`, { id: 'a', name: 'n' })
  assert.ok(answers.store.bytes < 20_000)
  assert.equal(recall(1 * s, 'name(x: 999)', 'a').entities[0].name, 'n')
  assert.deepEqual(recall(1 * s, 'name(x: 1)', 'a').entities, [])
})

test('an entity that is known by something private is not remembered', () => {
  const { answers, things, fetchOf } = open()
  const ids: unknown[] = ['a']
  const data = { _entities: [{ name: 'A' }] }
  for (const more of [{ buyer: 'Eve' }, { weight: { of: 1 } }]) things.remember(fetchOf('name', ids, more), { data }, 0)
  assert.equal(answers.store.bytes, 0)
  things.remember(fetchOf('name', ids, { weight: 1 }), { data }, 0)
  assert.equal(things.recall(fetchOf('name', ids, { weight: 2 }), 0), undefined)
  assert.equal(namesIn(things.recall(fetchOf('name', ids, { weight: 1 }), 0))[0], 'A')
})

test('what clients with other forwarded headers were answered is kept apart, and no header is kept', () => {
  const { things, fetchOf } = open()
  const fetch = (language?: string) => ({
    ...fetchOf('name', ['a']),
    ...(language && { headers: { 'accept-language': language } }),
  })
  for (const language of [undefined, 'de', 'fr'])
    things.remember(fetch(language), { data: { _entities: [{ name: `in ${language}` }] } }, 0)
  for (const language of [undefined, 'de', 'fr'])
    assert.equal(namesIn(things.recall(fetch(language), 0))[0], `in ${language}`)
  assert.equal(things.recall(fetch('nl'), 0), undefined)
})

test('an entity that was answered with an error is not remembered, and nothing is when it is not said which one was', () => {
  const { things, fetchOf } = open()
  const fetch = fetchOf('name', ['a', 'b'])
  const data = { _entities: [{ name: 'A' }, { name: null }] }
  things.remember(fetch, { data, errors: [{ message: 'x' }] }, 0)
  assert.equal(things.recall(fetch, 0), undefined)
  things.remember(fetch, { data, errors: [{ message: 'x', path: ['_entities', 1, 'name'] }] }, 0)
  assert.deepEqual(namesIn(things.recall(fetch, 0)), ['A', undefined])
  const gone = { _entities: [null, null] }
  things.remember(fetch, { data: gone, errors: [{ message: 'x', path: ['_entities', 0] }] }, 2 * s)
  assert.equal(namesIn(things.recall(fetch, 2 * s))[0], 'A', 'a failure does not mean that it is gone')
})

test('of what is nested only what is public all the way down is remembered, and nothing that was not asked for', () => {
  const { remember, recall } = open()
  const parts = [{ id: '1', size: 2, cost: 3 }, null]
  remember(0, 'parts { id size }', { id: 'a', parts })
  remember(0, 'all: parts { id cost }', { id: 'b', all: parts })
  remember(0, 'node { id }', { id: 'c', node: { id: '1' } })
  remember(0, 'node { __typename ...on Part { size } }', { id: 'd', node: { __typename: 'Part', size: 2 } })
  assert.deepEqual(recall(0, 'parts { id size }', 'a').entities[0].parts, [{ id: '1', size: 2 }, null])
  assert.deepEqual(recall(0, 'parts { id cost }', 'b').entities, [])
  assert.deepEqual(recall(0, 'node { id }', 'c').entities, [], 'marks of an interface count for nothing')
  assert.equal(recall(0, 'node { __typename ...on Part { size } }', 'd').entities[0].node.size, 2)
})

test('names that every object has are names like any other', () => {
  const { remember, recall } = open()
  remember(
    0,
    'constructor: name toString: title __proto__: price',
    JSON.parse('{"id":"a","constructor":"C","__proto__":{}}'),
  )
  const [entity] = recall(0, 'constructor: name toString: title __proto__: price', 'a').entities
  assert.deepEqual(Object.entries(entity), [
    ['__typename', 'Thing'],
    ['constructor', 'C'],
  ])
})

test('a supergraph without marks has nothing that is public', () => {
  const fields = publicFieldsOf(
    parse('schema { query: Query } type Query { a: Thing } type Thing { id: ID @cacheControl(scope: PUBLIC) }'),
  )
  assert.equal(fields.of('Thing').size, 0)
})

test('in this shop the catalogue is public, its stock is not, and nothing that is told of people, orders or payments', () => {
  const sdl = readFileSync(new URL('../../schema/supergraph.graphql', import.meta.url), 'utf8')
  const document = parse(sdl)
  const fields = publicFieldsOf(document)
  const marked = document.definitions.flatMap((node) => {
    if (node.kind !== 'ObjectTypeDefinition') return []
    return [...fields.of(node.name.value).keys()].map((field) => `${node.name.value}.${field}`)
  })
  const product = [
    'id',
    'sku',
    'name',
    'description',
    'price',
    'category',
    'version',
    'createdAt',
    'updatedAt',
    'archived',
  ]
  assert.deepEqual(
    marked.sort(),
    [
      ...['Query.product', 'Query.productBySku', 'Query.categories'],
      ...['Money.amount', 'Money.currency'],
      ...['id', 'name', 'parent', 'children'].map((field) => `Category.${field}`),
      ...product.map((field) => `Product.${field}`),
    ].sort(),
  )
})
