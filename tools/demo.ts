/** `npm run demo`: walks the whole path against a running shop and prints each step with its time. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { dataFolder, readyShop } from './infra/run-file.ts'
import { root } from './services.ts'

type Result = { data: Record<string, never> | null; errors?: { message: string }[] }

/** Milliseconds that what follows by events may take. */
const patience = 10_000
let url = process.env.GATEWAY_URL || ''

try {
  url ||= readyShop(dataFolder).gateway
  await demo()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function demo(): Promise<void> {
  const email = `demo-${randomUUID().slice(0, 8)}@shop.example`
  const password = randomUUID()

  const { register } = await step('register', 'Register', { input: { name: 'Demo Customer', email, password } })
  console.log(`      ${register.user.name}, ${email}`)
  const { login } = await step('log in', 'LogIn', { input: { email, password } })
  console.log(`      a token for ${login.expiresIn} s`)
  const token = login.accessToken
  const { products } = await step('browse', 'Browse', { first: 5 }, token)
  for (const { node } of products.edges) {
    console.log(`      ${node.name}, ${money(node.price)}, ${node.available} left, in ${node.category.name}`)
  }
  const { node: product } = products.edges.find(({ node }: { node: { available: number } }) => node.available > 0)
  const shippingAddress = {
    name: 'Demo Customer',
    line1: 'Main Street 1',
    city: 'Berlin',
    postalCode: '10115',
    country: 'DE',
  }
  const input = { items: [{ productId: product.id, quantity: 1 }], shippingAddress, idempotencyKey: randomUUID() }
  const { createOrder } = await step('order', 'PlaceOrder', { input }, token)
  const { order } = createOrder
  console.log(`      order ${order.number} is ${order.status}, ${money(order.total)}`)

  await until('notification', async () => {
    const { me } = await send('ReadNotifications', {}, token)
    const about = me.notifications.edges.find(({ node }: { node: { type: string } }) => node.type === 'ORDER_PLACED')
    return about && `${about.node.title}, by ${about.node.deliveries[0].channel}`
  })

  const payment = { orderId: order.id, paymentMethod: 'pm_card_visa', idempotencyKey: randomUUID() }
  const { payOrder } = await step('pay', 'PayOrder', { input: payment }, token)
  console.log(`      the payment is ${payOrder.payment.status}, ${money(payOrder.payment.amount)}`)
  await until('paid', async () => {
    const { order: current } = await send('ReadOrder', { id: order.id }, token)
    return current.status === 'PAID' && `order ${current.number} is ${current.status}, its items are sold`
  })
  console.log('The whole path works.')
}

/** Waits for what follows by events, which is told in a line. */
async function until(name: string, look: () => Promise<string | false | undefined>): Promise<void> {
  const started = performance.now()
  while (performance.now() - started < patience) {
    const line = await look()
    if (line) {
      print(name, started)
      console.log(`      ${line}`)
      return
    }
    await sleep(10)
  }
  throw new Error(`In vain for ${patience} ms: ${name}`)
}

// biome-ignore lint/suspicious/noExplicitAny: answers are shown as they come.
async function step(name: string, operation: string, variables: object, token?: string): Promise<any> {
  const started = performance.now()
  const data = await send(operation, variables, token)
  print(name, started)
  return data
}

// biome-ignore lint/suspicious/noExplicitAny: answers are shown as they come.
async function send(operation: string, variables: object, token?: string): Promise<any> {
  const query = readFileSync(join(root, `schema/operations/demo/${operation}.graphql`), 'utf8')
  const { body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  }).catch(() => {
    throw new Error(`Nothing answers at ${url}. Start the shop with npm start, or set GATEWAY_URL.`)
  })
  const { data, errors } = (await body.json()) as Result
  if (errors?.[0]) throw new Error(`${operation}: ${errors[0].message}`)
  return data
}

function print(name: string, started: number): void {
  console.log(`${(performance.now() - started).toFixed(0).padStart(5)} ms  ${name}`)
}

function money({ amount, currency }: { amount: number; currency: string }): string {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount / 100)
}
