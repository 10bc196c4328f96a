import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../test/infra/wait.ts'
import { type CacheShop, startCacheShop } from './cache-shop.ts'

let shop: CacheShop
beforeEach(async () => {
  shop = await startCacheShop()
})
afterEach(() => shop.stop())

const items = 'query ($ids: [ID!]!) { items(ids: $ids) { thing { id name } } }'
const ask = (query: string, ...ids: string[]) => shop.ask(query, { variables: { ids } })
type Answer = Awaited<ReturnType<typeof ask>>
const names = ({ data }: Answer) => data.items.map(({ thing }: { thing: { name: string } | null }) => thing?.name)
const counts = ({ cached = [] }: Answer) =>
  cached.map(({ subgraph, type, count }: Record<string, unknown>) => `${subgraph} ${type} ${count}`)
const askedIds = () =>
  shop.asked.map(({ variables }) =>
    (variables?.representations as { id: string }[] | undefined)?.map(({ id }) => id).join(),
  )

test('entities that are known and fresh are not asked for, and the answer says what came from the cache', async () => {
  const first = await ask(items, 'a', 'b')
  assert.equal(first.cached, undefined)
  shop.change()
  const second = await ask(items, 'a', 'b')
  assert.deepEqual([second.data, counts(second)], [first.data, ['shop Thing 2']])
  assert.equal(second.cached[0].ageSeconds, 0)
  assert.equal(shop.asked.length, 1)
})

test('only those are fetched that are not known, and answers stand in their order', async () => {
  await ask(items, 'b', 'd')
  const answer = await ask(items, 'a', 'b', 'c', 'd', 'e')
  assert.deepEqual(names(answer), ['a1', 'b1', 'c1', 'd1', 'e1'])
  assert.deepEqual(askedIds(), ['b,d', 'a,c,e'])
  assert.deepEqual(counts(answer), ['shop Thing 2'])
})

test('an operation finds what another one asked for, under its own names and in part', async () => {
  await ask('query A($ids: [ID!]!) { items(ids: $ids) { thing { name price { amount currency } } } }', 'a')
  const answer = await ask('query B($ids: [ID!]!) { items(ids: $ids) { thing { called: name } } }', 'a')
  assert.deepEqual(answer.data, { items: [{ thing: { called: 'a1' } }] })
  assert.equal(shop.asked.length, 1)
})

test('fields of one entity are from one answer, however much of it others asked for', async () => {
  await ask('query ($ids: [ID!]!) { items(ids: $ids) { thing { name } } }', 'a')
  shop.change()
  await ask('query ($ids: [ID!]!) { items(ids: $ids) { thing { price { amount currency } } } }', 'a')
  const answer = await ask(
    'query ($ids: [ID!]!) { items(ids: $ids) { thing { name price { amount currency } } } }',
    'a',
  )
  assert.deepEqual(answer.data.items[0].thing, { name: 'a2', price: { amount: 2, currency: 'EUR' } })
})

test('what is answered is a copy: nothing that an operation does with it is found by the next', async () => {
  const query = 'query ($ids: [ID!]!) { items(ids: $ids) { thing { price { amount currency } } } }'
  const first = await ask(query, 'a')
  await ask('query ($ids: [ID!]!) { items(ids: $ids) { thing { price { amount currency } stock } } }', 'a')
  assert.deepEqual((await ask(query, 'a')).data, first.data)
})

test('a fetch that also asks for what is not marked is neither kept nor answered from the cache', async () => {
  const query = 'query ($ids: [ID!]!) { items(ids: $ids) { thing { name stock } } }'
  await ask(items, 'a')
  for (let n = 0; n < 2; n++) assert.equal((await ask(query, 'a')).cached, undefined)
  assert.equal(shop.asked.length, 3)
})

test('arguments, defaults of variables and conditions are told apart', async () => {
  const title = (default_: string) =>
    `query ($ids: [ID!]!, $l: String${default_}) { items(ids: $ids) { thing { title(language: $l) } } }`
  const titleOf = async (query: string, l?: string | null) => {
    const variables = { ids: ['a'], ...(l !== undefined && { l }) }
    return (await shop.ask(query, { variables })).data.items[0].thing.title
  }
  assert.equal(await titleOf(title(' = "en"')), 'in en')
  assert.equal(await titleOf(title(' = "de"')), 'in de')
  assert.equal(await titleOf(title(' = "de"'), null), 'in null')
  assert.equal(await titleOf(title(''), 'fr'), 'in fr')
  assert.equal(await titleOf(title(' = "en"')), 'in en')
  const some =
    'query ($ids: [ID!]!, $yes: Boolean!) { items(ids: $ids) { thing { id name @include(if: $yes) price { amount } } } }'
  for (const yes of [false, true, false]) {
    const { data } = await shop.ask(some, { variables: { ids: ['c'], yes } })
    assert.equal(data.items[0].thing.name, yes ? 'c1' : undefined)
  }
})

test('an answer with an error, a null and what is gone are never kept', async () => {
  const broken = 'query ($ids: [ID!]!) { items(ids: $ids) { thing { broken } } }'
  for (let n = 0; n < 2; n++) {
    const answer = await ask(broken, 'a', 'b', 'none')
    assert.deepEqual(answer.errors, ['items.1.thing.broken'])
    assert.deepEqual(
      answer.data.items.map(({ thing }: { thing: { broken: string } | null }) => thing?.broken),
      ['whole', null, null],
    )
  }
  assert.deepEqual(askedIds(), ['a,b,none', 'b,none'])
})

test('where the fetch of the others fails, what is fresh is answered, what is stale is told, and neither is taken for the other', async () => {
  await ask(items, 'a', 'b')
  shop.tell('b', performance.now() + 1)
  shop.fail('gone')
  const answer = await ask(items, 'c', 'a', 'b')
  assert.deepEqual(names(answer), [null, 'a1', 'b1'])
  assert.deepEqual(counts(answer), ['shop Thing 1'])
  assert.deepEqual(answer.errors, ['items.0.thing.name'])
  assert.deepEqual(
    answer.stale.map(({ path }: { path: unknown[] }) => path.join('.')),
    ['items.2.thing'],
  )
  shop.fail(undefined)
  shop.change()
  await waitFor('the subgraph to answer again', async () => names(await ask(items, 'b'))[0] === 'b2')
})

test('a value is given for no longer than its mark says', async () => {
  const query = 'query ($ids: [ID!]!) { items(ids: $ids) { thing { quick } } }'
  const quick = async () => (await ask(query, 'a')).data.items[0].thing.quick
  assert.equal(await quick(), 'quick1')
  const answered = performance.now()
  shop.change()
  await waitFor('the new value', async () => {
    const asked = performance.now()
    const value = await quick()
    assert.ok(value === 'quick2' || asked < answered + 1_000, `${value} after ${asked - answered} ms`)
    return value === 'quick2'
  })
})

test('a root field that is marked is answered from the cache, for the same arguments, and until anything is told', async () => {
  const query = 'query ($id: ID!) { thing(id: $id) { id name } }'
  const thing = (id: string) => shop.ask(query, { variables: { id } })
  const first = await thing('a')
  shop.change()
  assert.equal((await thing('b')).data.thing.name, 'b2')
  const second = await thing('a')
  assert.deepEqual([second.data, counts(second)], [first.data, ['shop Query 1']])
  shop.tell('c')
  assert.equal((await thing('a')).data.thing.name, 'a2')
  for (let n = 0; n < 2; n++) {
    assert.equal((await thing('none')).cached, undefined)
    assert.equal((await shop.ask('{ unmarked { id name } }')).cached, undefined)
  }
})

test('an entity that changed is given no more from the moment that it is told, and the others are', async () => {
  await ask(items, 'a', 'b')
  shop.change()
  shop.tell('a')
  assert.deepEqual(names(await ask(items, 'a', 'b')), ['a2', 'b1'])
})

test('what was under way when something changed is answered and not kept, nor is what was asked for right after', async () => {
  const release = shop.hold()
  const early = ask(items, 'a')
  await waitFor('the fetch to be under way', () => shop.asked.length === 1)
  shop.change()
  shop.tell('a')
  const late = ask(items, 'a')
  await waitFor('the next fetch', () => shop.asked.length === 2)
  release()
  assert.deepEqual([names(await early), names(await late)], [['a1'], ['a2']])
  assert.equal((await ask(items, 'a')).cached, undefined)
  await waitFor('it to be kept again', async () => (await ask(items, 'a')).cached !== undefined)
})

test('an answer that another caller waits for too is kept as of when it was asked for', async () => {
  const own = await startCacheShop({ sharing: true })
  try {
    for (const query of ['{ thing(id: "a") { name } }', '{ items(ids: ["a"]) { thing { name } } }']) {
      const release = own.hold()
      // For a second from then on what is asked for is not kept.
      const told = performance.now()
      own.tell('a', told)
      const first = own.ask(query)
      await waitFor('the end of that second', async () => performance.now() > told + 1_000)
      const joined = own.ask(query)
      await sleep(20)
      release()
      assert.deepEqual(await joined, await first)
      const asked = own.asked.length
      await own.ask(query)
      assert.equal(own.asked.length, asked + 1, 'nothing was kept')
    }
  } finally {
    await own.stop()
  }
})

test('a gateway that hears nothing gives nothing from the cache and keeps nothing, until it hears again', async () => {
  await ask(items, 'a')
  shop.hear(false)
  shop.change()
  assert.deepEqual(names(await ask(items, 'a')), ['a2'])
  shop.hear(true)
  shop.changes.all(performance.now())
  assert.deepEqual(names(await ask(items, 'a')), ['a2'])
})

test('where nothing tells what changes, only what says itself for how long it is fresh is kept', async () => {
  const untold = await startCacheShop({ told: false })
  try {
    const cachedOf = async (fields: string) => {
      const query = `{ items(ids: ["a"]) { thing { ${fields} } } }`
      await untold.ask(query)
      return (await untold.ask(query)).cached
    }
    assert.equal(await cachedOf('name'), undefined)
    assert.equal(await cachedOf('name quick'), undefined)
    assert.equal((await cachedOf('quick')).length, 1)
  } finally {
    await untold.stop()
  }
})

test('a mutation neither finds anything nor leaves anything, and whoever changed something sees it at once', async () => {
  await ask(items, 'a')
  shop.change()
  const { data, cached } = await ask('mutation ($ids: [ID!]!) { order(ids: $ids) { thing { name } } }', 'a')
  assert.deepEqual([data.order.thing.name, cached], ['a2', undefined])
  assert.deepEqual(names(await ask(items, 'a')), ['a1'], 'orders changes nothing of the shop')
  await shop.ask('mutation { change { id } }')
  assert.deepEqual(names(await ask(items, 'a')), ['a3'])
})

test('clients with other forwarded headers share nothing', async () => {
  const asking = (language: string) =>
    shop.ask(items, { variables: { ids: ['a'] }, headers: { 'accept-language': language } })
  for (const language of ['en', 'de']) assert.equal((await asking(language)).cached, undefined)
  for (const language of ['en', 'de']) assert.notEqual((await asking(language)).cached, undefined)
})

test('what is kept takes no more than its bytes', async () => {
  const small = await startCacheShop({ bytes: 10_000 })
  try {
    for (let n = 0; n < 100; n++) await small.ask(items, { variables: { ids: [`id${n}`] } })
    const text = await small.metrics.text()
    const bytes = Number(/^response_cache_bytes\S* (\d+)/m.exec(text)?.[1])
    assert.ok(bytes > 1_000 && bytes <= 10_000, String(bytes))
    assert.match(text, /cache_requests_total\{[^}]*cache="entities",result="miss"[^}]*\} 100/)
  } finally {
    await small.stop()
  }
})
