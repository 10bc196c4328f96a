import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePage, toConnection } from '../paging.ts'

const items = [3, 2, 1].map((n) => ({ id: `0000000${n}-0000-4000-8000-000000000000`, createdAt: new Date(n) }))

test('a page is 20 items unless asked otherwise, and at most 100', () => {
  assert.deepEqual(parsePage({}), { limit: 20, after: undefined })
  assert.deepEqual(parsePage({ first: null, after: null }), { limit: 20, after: undefined })
  assert.equal(parsePage({ first: 100 }).limit, 100)
  for (const first of [0, -1, 101]) assert.throws(() => parsePage({ first }), { code: 'BAD_USER_INPUT' })
})

test('a connection says whether more follows, and its cursors continue it', () => {
  const page = parsePage({ first: 2 })
  const { edges, pageInfo } = toConnection(items, page)
  assert.deepEqual(
    edges.map(({ node }) => node),
    items.slice(0, 2),
  )
  assert.equal(pageInfo.hasNextPage, true)
  assert.equal(pageInfo.hasPreviousPage, false)
  const { id, createdAt } = items[1] ?? {}
  assert.deepEqual(parsePage({ after: pageInfo.endCursor }).after, { id, createdAt })
})

test('an empty list is a page without cursors', () => {
  const { edges, pageInfo } = toConnection([], parsePage({}))
  assert.deepEqual(edges, [])
  assert.deepEqual(pageInfo, { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null })
})

test('what is no cursor is refused', () => {
  const far = Buffer.from(`999999999999999 ${items[0]?.id}`).toString('base64url')
  for (const after of ['x', 'MTIz', Buffer.from('1 not-a-uuid').toString('base64url'), '\u0000', "' OR 1=1", far]) {
    assert.throws(() => parsePage({ after }), { code: 'BAD_USER_INPUT', details: { field: 'after' } })
  }
})
