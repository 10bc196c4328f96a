import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type CacheShop, startCacheShop } from './cache-shop.ts'

let shop: CacheShop
before(async () => {
  shop = await startCacheShop({ privates: true })
})
after(() => shop.stop())

const wishes = '{ items(ids: ["a", "b"]) { thing { id wish } } }'
const mine = '{ mine { who } }'

test('what is private is kept for its caller alone, with the same session and the same rights', async () => {
  const eve = { sub: 'eve', rights: { sid: '1', scopes: ['a', 'b'] } }
  const others = [
    { sub: 'bob', rights: { sid: '1', scopes: ['a', 'b'] } },
    { sub: 'eve', rights: { sid: '2', scopes: ['a', 'b'] } },
    { sub: 'eve', rights: { sid: '1', scopes: ['a'] } },
    { sub: 'eve', rights: { sid: '1', scopes: ['a,b'] } },
    {},
  ]
  for (const query of [wishes, mine]) {
    await shop.ask(query, eve)
    for (const other of others) {
      const answer = await shop.ask(query, other)
      assert.equal(answer.cached, undefined)
      assert.equal(JSON.stringify(answer.data).includes('eve'), other.sub === 'eve')
    }
    const again = await shop.ask(query, { ...eve, rights: { sid: '1', scopes: ['b', 'a'] } })
    assert.notEqual(again.cached, undefined)
    assert.match(JSON.stringify(again.data), /eve/)
  }
})

test('for nobody in particular nothing private is kept', async () => {
  for (let n = 0; n < 2; n++) assert.equal((await shop.ask(mine)).cached, undefined)
})

test('what is marked as private without an age is never kept', async () => {
  const query = '{ items(ids: ["a"]) { thing { secret } } }'
  for (let n = 0; n < 2; n++) assert.equal((await shop.ask(query, { sub: 'eve' })).cached, undefined)
})

test('nothing private is kept where the setting does not allow it', async () => {
  const strict = await startCacheShop()
  try {
    for (const query of [wishes, mine]) {
      for (let n = 0; n < 2; n++) assert.equal((await strict.ask(query, { sub: 'eve' })).cached, undefined)
    }
  } finally {
    await strict.stop()
  }
})
