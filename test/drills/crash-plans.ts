import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { type Account, busyCodes, type GraphQLResult, type TestStack } from '../infra/stack.ts'

/** Milliseconds between attempts, and for which one is repeated. */
const pause = 150
const patience = 60_000
/** What a client that retries sends again. Anything else is an answer. */
const passing = [...busyCodes, 'IN_PROGRESS']

export type Shop = {
  stack: TestStack
  customer: Account
  manager: Account
  products: readonly string[]
  random: () => number
  /** Told of what happened, for the figures. */
  count: (what: string) => void
}

/** A customer's or a manager's own keys, so that what is sent again is the same. */
function client({ stack, customer, manager, count }: Shop) {
  /** Sends until there is an answer. A code for what is refused. */
  async function sure(send: () => Promise<GraphQLResult & { payload?: unknown }>) {
    for (const deadline = Date.now() + patience; ; await sleep(pause)) {
      const result = await send().catch((error: Error) => error)
      const gone = result instanceof Error
      const code = gone ? 'no answer' : result.errors[0]?.extensions.code
      if (!gone && (code === undefined || !passing.includes(code))) return { code, ...result }
      if (Date.now() > deadline) throw new Error(`In vain for ${patience} ms: ${code}`)
      count(`sent again: ${code}`)
    }
  }
  async function mutate(name: string, fields: string, input: object, { token } = customer) {
    const { code, payload, errors } = await sure(() => stack.mutate(name, fields, input, token))
    count(code === undefined ? name : `${name}: ${code}`)
    if (code !== undefined && code !== 'ILLEGAL_TRANSITION' && code !== 'INSUFFICIENT_STOCK') {
      throw new Error(`${name} was answered with ${JSON.stringify(errors)}`)
    }
    // biome-ignore lint/suspicious/noExplicitAny: the payload of any mutation.
    return payload as any
  }

  const payment = 'payment { id status nextAction { url } }'
  return {
    create: (input: object) => mutate('createOrder', 'order { id }', input),
    async pay(orderId: string, paymentMethod: string) {
      const key = randomUUID()
      return (await mutate('payOrder', payment, { orderId, paymentMethod, idempotencyKey: key }))?.payment
    },
    cancel: (orderId: string) => mutate('cancelOrder', 'order { id }', { orderId, reason: 'Changed my mind' }),
    refund: (paymentId: string, amount?: number) =>
      mutate('refundPayment', payment, { paymentId, amount, reason: 'Sorry', idempotencyKey: randomUUID() }, manager),
    ship: (orderId: string) => mutate('shipOrder', 'order { id }', { orderId, trackingNumber: 'T-1' }, manager),
    deliver: (orderId: string) => mutate('deliverOrder', 'order { id }', { orderId }, manager),
    /** Waits until the order is no longer PENDING. */
    async decided(orderId: string): Promise<string> {
      for (const deadline = Date.now() + patience; Date.now() < deadline; await sleep(pause)) {
        const query = 'query ($id: ID!) { order(id: $id) { status } }'
        const { data } = await sure(() => stack.graphql(query, { id: orderId }, customer.token))
        if (data?.order && data.order.status !== 'PENDING') return data.order.status
      }
      throw new Error(`The order ${orderId} is still undecided after ${patience} ms.`)
    },
    /** Confirms at the bank. */
    async confirm(url: string): Promise<void> {
      for (const deadline = Date.now() + patience; Date.now() < deadline; await sleep(pause)) {
        const answer = await request(`${url}/confirm`, { method: 'POST' }).catch(() => undefined)
        await answer?.body.dump()
        if (answer && answer.statusCode < 500) return
      }
    },
  }
}

type Client = ReturnType<typeof client>
type Pay = (method?: string) => Promise<{ id: string; nextAction: { url: string } | null } | undefined>

/** What becomes of an order that is placed, with its share of all. */
const plans: readonly [share: number, name: string, (c: Client, orderId: string, pay: Pay) => Promise<unknown>][] = [
  [8, 'left unpaid', async () => {}],
  [26, 'paid', (_, __, pay) => pay()],
  [6, 'declined', (_, __, pay) => pay('pm_card_visa_chargeDeclined')],
  [
    8,
    'declined, paid',
    async (_, __, pay) => {
      await pay('pm_card_chargeDeclinedExpiredCard')
      await pay()
    },
  ],
  [
    6,
    'confirmed at the bank',
    async (c, _, pay) => {
      const payment = await pay('pm_card_authenticationRequired')
      if (payment?.nextAction) await c.confirm(payment.nextAction.url)
    },
  ],
  [2, 'left at the bank', (_, __, pay) => pay('pm_card_authenticationRequired')],
  [3, 'captured after the hold', (_, __, pay) => pay('pm_sandbox_delay_12')],
  [4, 'paid twice at once', (_, __, pay) => Promise.all([pay(), pay()])],
  [6, 'cancelled', (c, id) => c.cancel(id)],
  [8, 'paid and cancelled at once', (c, id, pay) => Promise.all([pay(), c.cancel(id)])],
  [
    6,
    'paid, cancelled',
    async (c, id, pay) => {
      await pay()
      await c.decided(id)
      await c.cancel(id)
    },
  ],
  [
    5,
    'paid, refunded in part',
    async (c, id, pay) => {
      const payment = await pay()
      if ((await c.decided(id)) === 'PAID' && payment)
        await Promise.all([c.refund(payment.id, 100), c.refund(payment.id, 200)])
    },
  ],
  [
    4,
    'paid, refunded',
    async (c, id, pay) => {
      const payment = await pay('pm_card_pendingRefund')
      if ((await c.decided(id)) === 'PAID' && payment) await c.refund(payment.id)
    },
  ],
  [
    4,
    'paid, shipped, delivered',
    async (c, id, pay) => {
      await pay()
      if ((await c.decided(id)) !== 'PAID') return
      await c.ship(id)
      await c.deliver(id)
    },
  ],
  [
    4,
    'shipped and refunded at once',
    async (c, id, pay) => {
      const payment = await pay()
      if ((await c.decided(id)) === 'PAID' && payment) await Promise.all([c.ship(id), c.refund(payment.id)])
    },
  ],
]

/** Means of payment that are captured, each in its own way. */
const captured = [
  'pm_card_visa',
  'pm_card_mastercard',
  'pm_sandbox_delay_1',
  'pm_sandbox_duplicate',
  'pm_sandbox_reorder',
  'pm_sandbox_timeout',
  'pm_sandbox_lost',
]

const address = { name: 'Eve', line1: 'Street 1', city: 'Berlin', postalCode: '10115', country: 'DE' }

/** Places one order and does with it what is drawn for it. False where there was not enough stock to place it. */
export async function liveThrough(shop: Shop): Promise<boolean> {
  const { random, products, count } = shop
  const own = client(shop)
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
  const chosen = [...new Set([pick(products), pick(products)])]
  const items = chosen.map((productId) => ({ productId, quantity: 1 + Math.floor(random() * 2) }))
  const method = pick(captured)
  const doubled = random() < 0.2
  const [, name, live] = pick(plans.flatMap((plan) => Array<typeof plan>(plan[0]).fill(plan)))

  const input = { items, shippingAddress: address, idempotencyKey: randomUUID() }
  const [created, again] = await Promise.all([own.create(input), doubled ? own.create(input) : undefined])
  if (!created) return false
  const orderId = created.order.id
  if (again && again.order.id !== orderId) throw new Error('One key became two orders.')
  count(`plan: ${name}`)
  await live(own, orderId, (wanted = method) => own.pay(orderId, wanted))
  return true
}
