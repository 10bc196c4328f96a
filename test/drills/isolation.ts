import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Account, startTestStack, type TestStack, untilTaken } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'

/** A person, with everything of theirs that nobody else may see. */
type Person = { account: Account; orders: string[]; marks: string[] }

const order = `id number status total { amount } shippingAddress { name line1 city } customer { id name email }
  items { name quantity product { id name available } } history { to at } createdAt`
const notification = 'id type title body createdAt order { id number } deliveries { channel status sentAt }'
const page = 'pageInfo { hasNextPage endCursor }'

/** Every query there is, and what it needs to know of the person that it is about. */
const queries: { query: string; variables?: (about: Person) => object }[] = [
  { query: '{ me { id name email emailVerified phone locale roles createdAt } }' },
  {
    query: 'query ($id: ID!) { user(id: $id) { id name email phone orders { edges { node { number } } } } }',
    variables: ({ account: { id } }) => ({ id }),
  },
  {
    query: 'query ($search: String) { users(search: $search) { edges { node { id name email } } } me { id } }',
    variables: ({ account: { email } }) => ({ search: email }),
  },
  { query: `{ me { name orders { edges { cursor node { ${order} } } ${page} } } }` },
  { query: `{ me { orders(first: 1, status: PENDING) { edges { node { ${order} } } } } }` },
  { query: `{ me { email notifications { edges { cursor node { ${notification} } } ${page} } } }` },
  {
    query: `query ($id: ID!) { user(id: $id) { unreadNotificationCount notifications(unreadOnly: true) { edges { node { ${notification} readAt } } } notificationPreferences { channel enabled } } me { id } }`,
    variables: ({ account: { id } }) => ({ id }),
  },
  {
    query: `query ($id: ID!) { order(id: $id) { ${order} } }`,
    variables: ({ orders: [id] }) => ({ id }),
  },
  {
    query: `query ($id: ID!, $other: ID!) { a: order(id: $id) { ...O } b: order(id: $other) { ...O } me { id } } fragment O on Order { ${order} }`,
    variables: ({ orders: [id, other] }) => ({ id, other }),
  },
  {
    query: `{ products(first: 2) { edges { cursor node { id sku name price { amount } available category { name } } } ${page} } }`,
  },
  { query: '{ productBySku(sku: "none") { id } product(id: "none") { id } me { email } }' },
  { query: '{ categories { id name children { id } } me { name } }' },
  { query: '{ me { orders { edges { node { number items { product { id name price { amount } } } } } } } }' },
]

export const isolation: Drill = {
  summary:
    'two customers and a stranger over every query at once, with and without caching: nobody sees what is another’s',
  async run(given) {
    for (const cache of ['off', 'on']) await isolate(cache, given)
  },
}

/** `cache`: whether the gateway keeps answers, those of private fields too. */
async function isolate(cache: string, { short, print }: Parameters<Drill['run']>[0]): Promise<void> {
  const requests = short ? 100 : 1_000
  const env = { SUBGRAPH_SHARING: 'on', RESPONSE_CACHE: cache, RESPONSE_CACHE_PRIVATE: cache }
  // What one caller asks at once is fetched once here, and what two callers ask never.
  const stack = await startTestStack({ extra: { gateway: { env } } })
  try {
    const [product = ''] = await stack.addProducts(1_000)
    const [eve, bob] = await Promise.all([newPerson(stack, product), newPerson(stack, product)])
    // Each asks for what is theirs and for what is the other's; the stranger for both.
    const askers = [
      { who: 'the first', token: eve.account.token, hidden: bob.marks, own: eve.marks },
      { who: 'the second', token: bob.account.token, hidden: eve.marks, own: bob.marks },
      { who: 'a stranger', token: undefined, hidden: [...eve.marks, ...bob.marks], own: [] },
    ]
    const started = performance.now()
    const seen = await Promise.all(
      askers.map(async ({ token, hidden, own }) => {
        let ownAnswers = 0
        await inParallel(requests, 10, async (n) => {
          const { query, variables } = queries[n % queries.length] ?? { query: '' }
          const about = Math.floor(n / queries.length) % 2 ? eve : bob
          const answer = JSON.stringify(await stack.graphql(query, variables?.(about), token))
          for (const mark of hidden) assert.ok(!answer.includes(mark), `${mark} in the answer to ${query}`)
          if (own.some((mark) => answer.includes(mark))) ownAnswers += 1
        })
        return ownAnswers
      }),
    )
    const elapsed = Math.round(performance.now() - started)
    const rounds = short ? 10 : 100
    await inParallel(rounds, 2, async () => {
      // The very same query, by all at the same moment, each three times.
      const query = `{ me { id email orders { edges { node { ${order} } } } } }`
      await Promise.all(
        [...askers, ...askers, ...askers].map(async ({ who, token, hidden, own }) => {
          const answer = JSON.stringify(await stack.graphql(query, undefined, token))
          for (const mark of hidden) assert.ok(!answer.includes(mark), `${mark} in the answer to ${who}`)
          assert.ok(own.length === 0 || own.some((mark) => answer.includes(mark)), `${who} sees what is theirs`)
        }),
      )
    })
    print(`${9 * rounds} identical queries at once, none answered with another's`)
    for (const [index, { who }] of askers.entries()) {
      print(`${who}: ${requests} requests, ${seen[index]} answers with data of their own, none with another's`)
    }
    const metrics = await (await fetch(`${stack.urlOf('gateway')}/metrics`)).text()
    const hits = [...metrics.matchAll(/^cache_requests_total\{.*result="hit".*\} (\d+)/gm)].map(([, count]) =>
      Number(count),
    )
    const cached = hits.reduce((sum, count) => sum + count, 0)
    print(`${3 * requests} requests in ${elapsed} ms, caching ${cache}: ${cached} answers from the cache`)
    assert.equal(cached > 0, cache === 'on')
    assert.ok((seen[0] ?? 0) > requests / 3 && (seen[1] ?? 0) > requests / 3, 'each sees what is theirs')
  } finally {
    await stack.stop()
  }
}

/** Somebody with two orders and their notifications. */
async function newPerson(stack: TestStack, product: string): Promise<Person> {
  const account = await stack.signUp()
  const street = `Street ${randomUUID()}`
  const placed = await Promise.all(
    [1, 2].map(() => {
      const key = randomUUID()
      const items = [{ productId: product, quantity: 1 }]
      return untilTaken(() => stack.createOrder(account.token, items, key, { line1: street }))
    }),
  )
  const orders = placed.map(({ data }) => data.createOrder.order)
  const notifications = await waitFor('the notifications', async () => {
    const rows = await stack.sql('notifications', 'SELECT id FROM notifications WHERE user_id = $1', [account.id])
    return rows.length === 3 && rows
  })
  const marks = [
    ...[account.id, account.email, street],
    ...orders.flatMap(({ id, number }) => [id, number]),
    ...notifications.map(({ id }) => id),
  ]
  return { account, orders: orders.map(({ id }) => id), marks }
}

async function inParallel(count: number, width: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await work(next++)
    }),
  )
}
