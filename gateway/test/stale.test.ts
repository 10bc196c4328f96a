import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { type StaleShop, startStaleShop } from './stale-shop.ts'

let shop: StaleShop
before(async () => {
  shop = await startStaleShop()
})
afterEach(() => shop.shop.fail(undefined))
after(() => shop.stop())

const stalePaths = ({ extensions }: Awaited<ReturnType<StaleShop['ask']>>) =>
  (extensions?.stale ?? []).map(({ path }: { path: string[] }) => path.join('.'))

test('when a fetch of entities fails, the fields that are remembered are answered, and each entity is told with its age', async () => {
  const query = '{ items { note thing { id name price { amount currency } } } }'
  const fresh = await shop.ask(query)
  assert.deepEqual([fresh.errors, fresh.extensions], [[], undefined])
  shop.shop.fail('gone')
  const answer = await shop.ask(query)
  assert.deepEqual(answer.data, fresh.data)
  assert.deepEqual(answer.errors, [])
  assert.deepEqual(answer.extensions, {
    stale: [0, 1].map((index) => ({ path: ['items', index, 'thing'], subgraph: 'shop', ageSeconds: 0 })),
  })
})

test('what is not remembered stays null with its error, and the errors of what is are dropped', async () => {
  await shop.ask('{ items { thing { name } } }')
  shop.shop.fail('gone')
  const answer = await shop.ask('{ items { thing { id name title } } }')
  assert.deepEqual(
    answer.data.items.map(({ thing }: { thing: object }) => thing),
    ['a', 'b'].map((id) => ({ id, name: `${id}1`, title: null })),
  )
  assert.deepEqual(
    answer.errors,
    [0, 1].map((index) => `SUBGRAPH_UNAVAILABLE items.${index}.thing.title`),
  )
  assert.deepEqual(stalePaths(answer), ['items.0.thing', 'items.1.thing'])
})

test('different selections share what they have, by whatever names they ask for it', async () => {
  await shop.ask('{ items { thing { name must } } }')
  await shop.ask('{ items { thing { price { amount currency } } } }')
  shop.shop.fail('gone')
  const answer = await shop.ask('{ items { thing { called: name must price { amount currency } } } }')
  assert.deepEqual(answer.errors, [])
  assert.deepEqual(answer.data.items[0].thing, {
    called: 'a1',
    must: 'must',
    price: { amount: 1, currency: 'EUR' },
  })
})

test('an entity that lacks a field which must be there is null as before, and not told as stale', async () => {
  const own = await startStaleShop()
  await own.ask('{ items { thing { name } } }')
  own.shop.fail('gone')
  const answer = await own.ask('{ items { thing { name must } } }')
  assert.deepEqual(
    answer.data.items.map(({ thing }: { thing: unknown }) => thing),
    [null, null],
  )
  assert.deepEqual(
    answer.errors,
    [0, 1].map((index) => `SUBGRAPH_UNAVAILABLE items.${index}.thing.must`),
  )
  assert.equal(answer.extensions, undefined)
  await own.stop()
})

test('private fields are never remembered: neither another user gets them, nor their owner', async () => {
  const query = '{ items { thing { name mine stock brief owner { label secret } } } }'
  for (const who of ['Eve', 'Bob']) {
    const { data } = await shop.ask(query, { who })
    assert.equal(data.items[0].thing.mine, `of ${who}`)
  }
  shop.shop.fail('gone')
  for (const who of ['Eve', 'Bob']) {
    const { data, errors } = await shop.ask(query, { who })
    assert.deepEqual(data.items[0].thing, { name: 'a1', mine: null, stock: null, brief: null, owner: null })
    assert.deepEqual(
      errors.filter((error: string) => error.includes('items.0')),
      ['brief', 'mine', 'owner', 'stock'].map((field) => `SUBGRAPH_UNAVAILABLE items.0.thing.${field}`),
    )
  }
})

test('what other subgraphs add to a remembered object is not remembered with it', async () => {
  const query = '{ items { thing { owner { label email } } } }'
  assert.equal((await shop.ask(query, { who: 'eve@example.com' })).data.items[0].thing.owner.email, 'eve@example.com')
  shop.shop.fail('gone')
  const { data, errors } = await shop.ask(query, { who: 'bob@example.com' })
  assert.deepEqual(errors, [])
  assert.deepEqual(data.items[0].thing.owner, { label: 'label', email: 'bob@example.com' })
  const again = await shop.ask('{ items { thing { owner { label } } } }')
  assert.ok(!JSON.stringify(again).includes('@example.com'))
})

test('a mutation never answers what is remembered', async () => {
  const fields = '{ note thing { name } }'
  await shop.ask(`{ items ${fields} }`)
  shop.shop.fail('gone')
  const { data, errors, extensions } = await shop.ask(`mutation { order ${fields} }`)
  assert.deepEqual(data, { order: { note: 'note a', thing: { name: null } } })
  assert.deepEqual(errors, ['SUBGRAPH_UNAVAILABLE order.thing.name'])
  assert.equal(extensions, undefined)
})

test('root fields are never remembered', async () => {
  await shop.ask('{ top { name } }')
  shop.shop.fail('gone')
  const { data, errors, extensions } = await shop.ask('{ top { name } }')
  assert.deepEqual([data, errors, extensions], [{ top: null }, ['SUBGRAPH_UNAVAILABLE top'], undefined])
})

test('values of one field with other arguments are kept apart', async () => {
  const query = 'query($language: String) { items { thing { title(language: $language) } } }'
  const ask = (language: string) => shop.ask(query, { variables: { language } })
  await ask('German')
  await ask('French')
  shop.shop.fail('gone')
  for (const language of ['German', 'French']) {
    assert.equal((await ask(language)).data.items[0].thing.title, `a in ${language}`)
  }
  assert.equal((await ask('Dutch')).data.items[0].thing.title, null)
})

test('silence and a status of 5xx are answered from what is remembered, a status of 4xx is not', async () => {
  const own = await startStaleShop({ timeout: 300 })
  after(() => own.stop())
  const query = '{ items { thing { name } } }'
  await waitFor('an answer in time', async () => (await own.ask(query)).errors.length === 0)
  for (const how of [500, 502, 'silent'] as const) {
    own.shop.fail(how)
    const answer = await own.ask(query)
    assert.deepEqual([answer.errors, stalePaths(answer)], [[], ['items.0.thing', 'items.1.thing']], String(how))
  }
  own.shop.fail(401)
  const refused = await own.ask(query)
  assert.equal(refused.data.items[0].thing.name, null)
  assert.equal(refused.extensions, undefined)
})

test('while the breaker is open what is remembered is answered, and once the subgraph is back what it says', async () => {
  const own = await startStaleShop({ breakers: true })
  const query = '{ items { thing { name } } }'
  await own.ask(query)
  own.shop.fail('gone')
  for (let made = 0; made < 5; made++) {
    const { data, errors } = await own.ask(query)
    assert.deepEqual([data.items[0].thing.name, errors], ['a1', []])
  }
  assert.deepEqual(own.degraded(), [{ name: 'shop', state: 'open' }])
  own.shop.fail(undefined)
  own.change()
  const { data, extensions } = await own.ask(query)
  assert.deepEqual([data.items[0].thing.name, extensions.stale.length], ['a1', 2], 'the breaker is open for a minute')
  await own.stop()

  const other = await startStaleShop()
  await other.ask(query)
  other.shop.fail('gone')
  assert.equal(stalePaths(await other.ask(query)).length, 2)
  other.shop.fail(undefined)
  other.change()
  const back = await other.ask(query)
  assert.deepEqual([back.data.items[0].thing.name, back.extensions], ['a2', undefined])
  await other.stop()
})

test('an entity that is there no longer is forgotten', async () => {
  const own = await startStaleShop()
  const query = '{ items { thing { name } } }'
  await own.ask(query)
  own.remove('a')
  await own.ask(query)
  own.shop.fail('gone')
  const answer = await own.ask(query)
  assert.deepEqual(
    answer.data.items.map(({ thing }: { thing: { name: string } }) => thing.name),
    [null, 'b1'],
  )
  assert.deepEqual(answer.errors, ['SUBGRAPH_UNAVAILABLE items.0.thing.name'])
  assert.deepEqual(stalePaths(answer), ['items.1.thing'])
  await own.stop()
})

test('metrics tell how many entities were answered from memory, and of which types they are remembered', async () => {
  const own = await startStaleShop()
  await own.ask('{ items { thing { name owner { label email } } } }')
  own.shop.fail('gone')
  await own.ask('{ items { thing { name } } }')
  const text = await own.metrics.text()
  assert.match(text, /^stale_answers_total\{subgraph="shop",.*\} 2$/m)
  assert.deepEqual(
    [...text.matchAll(/^stale_cache_entities\{type="(\w+)",.*\} (\d)$/gm)].map(([, ...m]) => m),
    [['Thing', '2']],
  )
  await own.stop()
})
