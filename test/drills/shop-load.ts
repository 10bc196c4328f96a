import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, customerPassword, slowCodes, type TestStack } from '../infra/stack.ts'
import { percentile } from './drill.ts'
import type { LoadBalancer } from './load-balancer.ts'

/** What people in a shop ask for: how often of 100 requests, and what. */
const mix = { browse: 20, look: 67, history: 5, placeOrder: 4, pay: 3, login: 1 } as const
type Kind = keyof typeof mix

const queries: Record<Kind, string> = {
  browse: '{ products(first: 5) { edges { node { id name price { amount currency } inStock } } } }',
  look: 'query ($id: ID!) { product(id: $id) { id sku name description price { amount } category { name } } }',
  history: `{ me { id name unreadNotificationCount
    orders(first: 3) { edges { node { number status items { sku product { name } } payments { status } } } } } }`,
  placeOrder: 'mutation ($input: CreateOrderInput!) { createOrder(input: $input) { order { id status } } }',
  pay: 'mutation ($input: PayOrderInput!) { payOrder(input: $input) { payment { id status } } }',
  login: 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
}
const shippingAddress = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }

/** Milliseconds between two looks at the clock from which on the machine has stood still. */
const longestTick = 500

/** What customers were told that they have done. */
export type Receipts = {
  placed: string[]
  paid: string[]
  /** Orders and payments of which nobody knows what became of them. */
  unknown: number
  /** Orders that are placed and wait to be paid, each with its customer. */
  unpaid: { id: string; customer: Account }[]
}

/** Sends so many requests a second, at their times, however long the answers take, until it is told to stop. */
export function startLoad(options: {
  balancer: LoadBalancer
  rate: number
  customers: readonly Account[]
  products: readonly string[]
  receipts: Receipts
}) {
  const { balancer, rate, customers, products, receipts } = options
  const { placed, paid, unpaid } = receipts
  const kinds = shuffled((Object.keys(mix) as Kind[]).flatMap((kind) => Array<Kind>(mix[kind]).fill(kind)))
  const times: number[] = []
  const failures: string[] = []
  const underWay = new Set<Promise<void>>()
  const started = performance.now()
  let stopping = false
  /** When the machine last stood still, for longer than a timer is late by load. */
  let stoodStill = Number.NEGATIVE_INFINITY
  let ticked = started
  const ticking = setInterval(() => {
    const now = performance.now()
    if (now - ticked > longestTick) stoodStill = now
    ticked = now
  }, 50)

  function variablesOf(kind: Kind, n: number, customer: Account, order: string): object {
    const productId = products[n % products.length]
    if (kind === 'look') return { id: productId }
    if (kind === 'login') return { input: { email: customer.email, password: customerPassword } }
    if (kind === 'pay')
      return { input: { orderId: order, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() } }
    const items = [{ productId, quantity: 1 }]
    return kind === 'placeOrder' ? { input: { items, shippingAddress, idempotencyKey: randomUUID() } } : {}
  }

  async function request(n: number, due: number): Promise<void> {
    let kind = kinds[n % kinds.length] ?? 'browse'
    const order = kind === 'pay' ? unpaid.shift() : undefined
    if (kind === 'pay' && !order) kind = 'placeOrder'
    const changes = kind === 'placeOrder' || kind === 'pay'
    const customer = order?.customer ?? customers[n % customers.length]
    if (!customer) throw new Error('There are no customers.')
    try {
      const variables = variablesOf(kind, n, customer, order?.id ?? '')
      const send = () => balancer.send(queries[kind], variables, customer.token)
      const sent = performance.now()
      const first = await send()
      // What a machine made late that stood still is no failure of the shop, which answers it now.
      const isLate = first.errors.some(({ extensions: { code } }) => slowCodes.includes(code)) && stoodStill > sent
      const { status, data, errors } = isLate ? await send() : first
      if (status !== 200 || errors[0] || !data) {
        if (changes) receipts.unknown += 1
        failures.push(`${kind}: ${status} ${errors[0]?.extensions.code} ${errors[0]?.message}`)
      } else if (kind === 'placeOrder') {
        placed.push(data.createOrder.order.id)
        unpaid.push({ id: data.createOrder.order.id, customer })
      } else if (order) paid.push(order.id)
    } catch (error) {
      if (changes) receipts.unknown += 1
      const { code, message } = error as Error & { code?: string }
      failures.push(`${kind}: no answer, ${code ?? ''} ${message}`)
    }
    times.push(performance.now() - started - due)
  }

  const generating = (async () => {
    for (let n = 0, due = 0; !stopping; n++, due += 1_000 / rate) {
      // After the machine has stood still, what was due meanwhile does not come all at once.
      due = Math.max(due, performance.now() - started - 1_000)
      const pause = due - (performance.now() - started)
      if (pause > 0) await sleep(pause)
      const one = request(n, due).finally(() => underWay.delete(one))
      underWay.add(one)
    }
  })()

  return {
    /** Sends no more, and waits for the answers. */
    async stop() {
      stopping = true
      await generating
      const seconds = (performance.now() - started) / 1_000
      await Promise.all(underWay)
      clearInterval(ticking)
      return {
        requests: times.length,
        rate: times.length / seconds,
        failures,
        p99: percentile(times, 0.99),
        slowest: Math.max(...times),
      }
    },
  }
}

/** The same order in each run, and no kind in a bunch. */
function shuffled<T>(values: T[]): T[] {
  return values.flatMap((_, index) => values.slice((index * 37) % values.length).slice(0, 1))
}

/** Customers who are signed in. */
export async function signUpAll(stack: TestStack, count: number): Promise<Account[]> {
  const accounts: Account[] = []
  for (let n = 0; n < count; n++) accounts.push(await stack.signUp())
  return accounts
}
