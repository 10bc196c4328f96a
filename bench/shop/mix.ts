import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '../../test/infra/random.ts'
import { bigProduct } from '../../tools/seed/big-catalogue.ts'
import { departments, materials, qualities } from '../../tools/seed/words.ts'
import { root } from '../../tools/services.ts'

/** What customers ask for. */

/** Each a recorded operation of `schema/operations/`, which is sent in full as a client without persisted queries does. */
const operations = {
  'product page': 'web/ProductPage',
  search: 'web/SearchProducts',
  'order history': 'web/OrderHistory',
  createOrder: 'demo/PlaceOrder',
  payOrder: 'demo/PayOrder',
  login: 'demo/LogIn',
} as const
export type Kind = keyof typeof operations
export const kinds = Object.keys(operations) as Kind[]

/** How many of a hundred requests are of a kind. */
export type Mix = Partial<Record<Kind, number>>
export const shopMix: Mix = {
  'product page': 60,
  search: 15,
  'order history': 15,
  createOrder: 4,
  payOrder: 4,
  login: 2,
}
/** The write path alone: each order is placed, and paid by the next request. */
export const ordersMix: Mix = { createOrder: 50, payOrder: 50 }

export type Customer = { email: string; token: string }
/** An order that is placed and waits to be paid, and how many milliseconds it took to place it. */
export type Unpaid = { id: string; customer: Customer; took: number }
export type Request = { kind: Kind; body: string; customer: Customer; paid?: Unpaid | undefined }

export const password = 'correct horse battery'
const shippingAddress = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }
/** The exponent at which a fifth of the products gets four fifths of the visits. */
const skew = Math.log(0.2) / Math.log(0.8)
/** Stock from which on a product is ordered: the run is not about what is sold out. */
const plenty = 50

/**
 * Draws requests, the same ones for the same seed. A request that pays is for an order of `unpaid`, or places one while
 * there is none.
 */
export function createMix(options: { mix: Mix; customers: readonly Customer[]; products: number; seed?: number }) {
  const { mix, customers, products, seed = 1 } = options
  const random = seededRandom(seed)
  const queries = Object.fromEntries(
    kinds.map((kind) => [kind, readFileSync(join(root, 'schema/operations', `${operations[kind]}.graphql`), 'utf8')]),
  )
  const order = spread(mix)
  const catalogue = Array.from({ length: products }, (_, number) => bigProduct(number))
  const sold = catalogue.filter(({ available, price }) => available >= plenty && price.currency === 'EUR')
  const words = [
    ...qualities,
    ...materials,
    ...Object.values(departments).flatMap((groups) => Object.values(groups).flat()),
  ]
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item

  let signedIn = 0
  /** Whose token is the oldest: all have one that is good, however long a run is. */
  const inTurn = () => customers[signedIn++ % customers.length] as Customer

  const variablesOf: Record<Kind, (customer: Customer, orderId: string) => object> = {
    'product page': () => ({ id: catalogue[Math.floor(products * random() ** skew)]?.id }),
    search: () => ({ first: 20, filter: { search: pick(words) } }),
    'order history': () => ({ first: 10 }),
    createOrder: () => {
      const ids = new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(sold).id))
      const items = [...ids].map((productId) => ({ productId, quantity: 1 }))
      return { input: { items, shippingAddress, idempotencyKey: randomUUID() } }
    },
    payOrder: (_, orderId) => ({ input: { orderId, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() } }),
    login: ({ email }) => ({ input: { email, password } }),
  }

  return (n: number, unpaid: Unpaid[]): Request => {
    const wanted = order[n % order.length] as Kind
    const paid = wanted === 'payOrder' ? unpaid.shift() : undefined
    const kind = wanted === 'payOrder' && !paid ? 'createOrder' : wanted
    const customer = paid?.customer ?? (kind === 'login' ? inTurn() : pick(customers))
    const variables = variablesOf[kind](customer, paid?.id ?? '')
    return { kind, customer, paid, body: JSON.stringify({ query: queries[kind], variables }) }
  }
}

/** The kinds of a hundred requests, none of them in a bunch: each place goes to the kind that is furthest behind its share. */
export function spread(mix: Mix): Kind[] {
  const shares = Object.entries(mix) as [Kind, number][]
  const total = shares.reduce((sum, [, share]) => sum + share, 0)
  const given = new Map<Kind, number>()
  return Array.from({ length: total }, (_, place) => {
    const behind = ([kind, share]: [Kind, number]) => ((place + 1) * share) / total - (given.get(kind) ?? 0)
    const [kind] = shares.reduce((most, one) => (behind(one) > behind(most) ? one : most))
    given.set(kind, (given.get(kind) ?? 0) + 1)
    return kind
  })
}
