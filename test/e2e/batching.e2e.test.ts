import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { request } from 'undici'
import type { ServiceName } from '../../tools/services.ts'
import { type Account, startTestStack, type TestStack } from '../infra/stack.ts'

const asked: ServiceName[] = ['orders', 'users', 'products', 'payments']

let stack: TestStack
let support: Account
before(async () => {
  stack = await startTestStack()
  support = await stack.employ('SUPPORT')
  const customers = await Promise.all(Array.from({ length: 10 }, () => stack.signUp()))
  const products = await stack.addProducts(...Array.from({ length: 20 }, () => 100))
  for (let n = 0; n < 50; n++) {
    const { token } = customers[n % customers.length] as Account
    const chosen = [n, n + 1, n + 7].map((index) => products[index % products.length] as string)
    const id = await stack.placeOrder(token, ...chosen)
    if (n % 2 === 0) await stack.payOrder(token, id)
  }
})
after(() => stack.stop())

/** The sum of a metric's samples that have a label's value. */
async function sample(process: 'gateway' | ServiceName, metric: string, label = ''): Promise<number> {
  const { body } = await request(`${stack.urlOf(process)}/metrics`)
  const lines = (await body.text()).split('\n').filter((line) => line.startsWith(`${metric}{`) && line.includes(label))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** How often the gateway has asked each subgraph, and each of these its database. */
function counters() {
  return Promise.all(
    asked.map(async (name) => ({
      fetches: await sample('gateway', 'subgraph_fetch_duration_seconds_count', `subgraph="${name}"`),
      statements: await sample(name, 'db_statements_total'),
    })),
  )
}

test('a list of 50 orders with items, products, payments and customers: one fetch from each subgraph, and one statement there', async (context) => {
  const query = `{ orders(first: 50) { edges { node {
    number status total { amount } customer { name email } payments { status amount { amount } }
    items { name quantity product { name available } }
    history { to at }
  } } } }`
  const costs: { fetches: number; statements: number }[][] = []
  for (let attempt = 0; attempt < 10; attempt++) {
    const before = await counters()
    const { data, errors } = await stack.graphql(query, {}, support.token)
    const then = await counters()
    assert.deepEqual(errors, [])
    assert.equal(data.orders.edges.length, 50)
    const [{ node }] = data.orders.edges.slice(-1)
    assert.equal(node.items.length, 3)
    assert.equal(node.payments.length, 1)
    assert.ok(node.customer.name && node.items[0].product.available < 100)
    costs.push(
      then.map(({ fetches, statements }, index) => ({
        fetches: fetches - (before[index]?.fetches ?? 0),
        statements: statements - (before[index]?.statements ?? 0),
      })),
    )
  }
  for (const [index, name] of asked.entries()) {
    const own = costs.map((cost) => cost[index] ?? assert.fail())
    // Services also look for work of their own now and then, which is not of this list: the least is what it costs.
    const least = Math.min(...own.map(({ statements }) => statements))
    context.diagnostic(
      `${name}: ${own[0]?.fetches} fetch, ${least} statement (${own.map(({ statements }) => statements)})`,
    )
    assert.deepEqual(new Set(own.map(({ fetches }) => fetches)), new Set([1]), name)
    assert.equal(least, 1, name)
  }
})
