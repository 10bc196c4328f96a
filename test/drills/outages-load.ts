import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, busyCodes, customerPassword, type GraphQLResult, type TestStack } from '../infra/stack.ts'

/** What clients do, each again and again. */
export const kinds = ['catalogue', 'history', 'createOrder', 'payOrder', 'login'] as const
export type Kind = (typeof kinds)[number]

/** One request and what came of it: '' for an answer without errors, else the codes and where they stand. */
export type Attempt = { kind: Kind; at: number; time: number; outcome: string }

/** Codes that tell a client to try again. Others mean that something is wrong here. */
const passing = [...busyCodes, 'IN_PROGRESS']
/** Milliseconds between the requests of one client. */
const pause = 40
const retryPause = 150
const clientsOf: Record<'catalogue' | 'history' | 'buyer' | 'login', number> = {
  catalogue: 2,
  history: 2,
  buyer: 3,
  login: 1,
}
const products = 5
const stockOfEach = 1_000_000
/** What there is of all products, before anything is sold. */
export const stockTotal = products * stockOfEach
const address = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }

/** Somebody who buys, and what of it was accepted, by the order's id. */
type Customer = Account & { accepted: Map<string, number> }

/**
 * Clients that read the catalogue, look at their orders, place orders and pay them, and sign in. Whatever is refused is sent
 * again, with the same key, until it is accepted. Every answer is held against what it has to be, also where parts are missing.
 */
export async function startLoad(stack: TestStack) {
  const ids = await stack.addProducts(...Array.from({ length: products }, () => stockOfEach))
  const priceOf = new Map(ids.map((id, index) => [id, 1_000 + index]))
  const customers: Customer[] = []
  for (let n = 0; n < clientsOf.buyer; n++) customers.push({ ...(await stack.signUp()), accepted: new Map() })
  const attempts: Attempt[] = []
  const wrong: string[] = []
  const paid: string[] = []
  let stopped = false

  /** Sends a request, writes down what came of it, and has `judge` say whether its data can be true. */
  async function send(kind: Kind, request: () => Promise<GraphQLResult>, judge: (data: Data) => unknown) {
    const at = performance.now()
    const result = await request().catch((error: Error) => error)
    const time = performance.now() - at
    const outcome = result instanceof Error ? `no answer: ${result.message}` : outcomeOf(result)
    attempts.push({ kind, at, time, outcome })
    if (result instanceof Error) return undefined
    const { data, errors } = result
    for (const { extensions, path } of errors) {
      if (!passing.includes(extensions.code)) wrong.push(`${kind}: ${extensions.code} at ${path?.join('.')}`)
    }
    const fault = judge(data)
    if (fault) wrong.push(`${kind}: ${fault}: ${JSON.stringify(result)}`)
    return outcome === '' ? data : undefined
  }

  /** Sends until it is accepted, or refused for good, which is wrong here. */
  async function sure(kind: Kind, request: () => Promise<GraphQLResult>, judge: (data: Data) => unknown) {
    for (;;) {
      const data = await send(kind, request, judge)
      if (data || wrong.length > 0) return data
      await sleep(retryPause)
    }
  }

  const readCatalogue = () =>
    send(
      'catalogue',
      () => stack.graphql(catalogueQuery),
      (data) => {
        const edges: { node: { id: string; price: { amount: number }; inStock: boolean } }[] | undefined =
          data?.products?.edges
        const whole = edges?.every(({ node }) => node.price.amount === priceOf.get(node.id) && node.inStock)
        return edges && !(whole && edges.length === products) && 'not the catalogue'
      },
    )

  async function readHistory({ token, accepted }: Customer) {
    const before = [...accepted.keys()].slice(-5)
    await send(
      'history',
      () => stack.graphql(historyQuery, {}, token),
      (data) => {
        const edges: { node: { id: string; total: { amount: number }; items: Item[] } }[] | undefined =
          data?.me?.orders?.edges
        if (!edges) return undefined
        const found = new Map(edges.map(({ node }) => [node.id, node]))
        const lost = before.filter((id) => found.get(id)?.total.amount !== accepted.get(id))
        const items = edges.flatMap(({ node }) => node.items)
        const mistaken = items.some(({ name, product }) => product !== null && product.name !== name)
        return (lost.length > 0 && `without ${lost}`) || (mistaken && 'another product')
      },
    )
  }

  async function buy(customer: Customer, n: number) {
    const productId = ids[n % ids.length] ?? ''
    const quantity = 1 + (n % 3)
    const amount = quantity * (priceOf.get(productId) ?? 0)
    const input = { items: [{ productId, quantity }], shippingAddress: address, idempotencyKey: randomUUID() }
    const create = () => stack.mutate('createOrder', 'order { id total { amount } }', input, customer.token)
    const created = await sure('createOrder', create, ({ createOrder } = {}) => {
      return createOrder && createOrder.order.total.amount !== amount && 'another total'
    })
    const id: string | undefined = created?.createOrder?.order.id
    if (!id) return
    customer.accepted.set(id, amount)
    if (n % 5 === 0) {
      await sure('createOrder', create, ({ createOrder } = {}) => createOrder && createOrder.order.id !== id && 'twice')
    }
    const payment = { orderId: id, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() }
    const pay = () => stack.mutate('payOrder', 'payment { id status amount { amount } }', payment, customer.token)
    const done = await sure('payOrder', pay, ({ payOrder } = {}) => {
      const { status, amount: charged } = payOrder?.payment ?? {}
      return payOrder && !(['CAPTURED', 'PENDING'].includes(status) && charged.amount === amount) && 'another payment'
    })
    if (done) paid.push(id)
  }

  async function signIn({ id, email }: Customer) {
    const input = { email, password: customerPassword }
    await send(
      'login',
      () => stack.mutate('login', 'accessToken user { id }', input),
      ({ login } = {}) => login && !(login.user.id === id && login.accessToken) && 'somebody else',
    )
  }

  const client = async (work: (n: number) => Promise<unknown>) => {
    for (let n = 0; !stopped; n++) {
      await work(n)
      await sleep(pause)
    }
  }
  const clients = (count: number, work: (customer: Customer, n: number) => Promise<unknown>) =>
    Array.from({ length: count }, (_, index) => {
      const customer = customers[index % customers.length]
      if (!customer) throw new Error('There are customers.')
      return client((n) => work(customer, n))
    })
  const work = Promise.all([
    ...clients(clientsOf.catalogue, readCatalogue),
    ...clients(clientsOf.history, readHistory),
    ...clients(clientsOf.buyer, buy),
    ...clients(clientsOf.login, signIn),
  ])
  work.catch(() => {})

  return {
    attempts,
    /** What was answered and cannot be true, and refusals with a code that does not fit. */
    wrong,
    /** The orders that were accepted, and those of them whose payment was. */
    placed: () => customers.flatMap(({ accepted }) => [...accepted.keys()]),
    paid,
    /** Rejects when a client has come to harm. */
    failed: work,
    /** Resolves when every client has finished what it was at. */
    async stop(): Promise<void> {
      stopped = true
      await work
    },
  }
}

export type Load = Awaited<ReturnType<typeof startLoad>>

// biome-ignore lint/suspicious/noExplicitAny: the data of any answer.
type Data = any
type Item = { name: string; product: { name: string } | null }

const catalogueQuery = `{ products(first: ${products}) { edges { node { id name inStock price { amount } } } } }`
const historyQuery = `{
  me { name orders { edges { node { id total { amount } items { name product { name } } } } } }
}`

function outcomeOf({ errors }: GraphQLResult): string {
  const places = errors.map(({ extensions, path = [] }) => {
    const fields = path.filter((part) => typeof part === 'string' && !['edges', 'node'].includes(part))
    return `${extensions.code} at ${fields.join('.')}`
  })
  return [...new Set(places)].sort().join(', ')
}
