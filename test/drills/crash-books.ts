import assert from 'node:assert/strict'
import type { TestStack } from '../infra/stack.ts'

/** What of an order's events a person is told of, each once. */
const toldOf = {
  'order.created': 'ORDER_PLACED',
  'order.paid': 'ORDER_PAID',
  'order.shipped': 'ORDER_SHIPPED',
  'order.delivered': 'ORDER_DELIVERED',
  'order.cancelled': 'ORDER_CANCELLED',
  'payment.declined': 'PAYMENT_DECLINED',
  'payment.refunded': 'PAYMENT_REFUNDED',
} as const

/** Who has to handle which events. */
const consumers = {
  products: ['order.cancelled'],
  payments: ['order.cancelled'],
  orders: ['payment.captured', 'payment.declined', 'payment.refunded', 'reservation.expired'],
  notifications: ['user.registered', ...(Object.keys(toldOf) as (keyof typeof toldOf)[])],
} as const
const emitters = ['users', 'products', 'orders', 'payments'] as const

/** Where the life of an order may go, written down once more and on its own. */
const legal = ['-PENDING', 'PENDING-PAID', 'PENDING-CANCELLED', 'PAID-SHIPPED', 'PAID-CANCELLED', 'SHIPPED-DELIVERED']

/** What still moves, for a human to read. Empty once nothing does. */
export async function unrest(stack: TestStack): Promise<string[]> {
  const questions: [Parameters<TestStack['sql']>[0], string, string][] = [
    ['orders', 'orders that wait for a payment', `SELECT FROM orders WHERE status = 'PENDING'`],
    ['payments', 'payments that are pending', `SELECT FROM payments WHERE status = 'PENDING'`],
    ['payments', 'refunds that are pending', `SELECT FROM refunds WHERE status = 'PENDING'`],
    ['payments', 'callbacks that are not delivered', 'SELECT FROM sandbox.callbacks'],
    ['products', 'holds', `SELECT FROM reservations WHERE status = 'HELD'`],
    ['notifications', 'deliveries', `SELECT FROM deliveries WHERE status = 'QUEUED'`],
    ...emitters.map((name): [typeof name, string, string] => [
      name,
      `events of ${name} that are not sent`,
      'SELECT FROM outbox WHERE sent_at IS NULL',
    ]),
  ]
  const counts = await Promise.all(
    questions.map(async ([service, what, query]) => [what, (await stack.sql(service, query)).length] as const),
  )
  const waiting = await unhandled(stack)
  return [...counts, ['events that are not handled', waiting.length] as const]
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`)
}

/** Events that somebody has to handle and has not. */
export async function unhandled(stack: TestStack): Promise<string[]> {
  const emitted = (
    await Promise.all(emitters.map((name) => stack.sql(name, 'SELECT event_id, type FROM outbox')))
  ).flat()
  const missing = Object.entries(consumers).map(async ([name, types]) => {
    const rows = await stack.sql(name as keyof typeof consumers, 'SELECT event_id FROM inbox')
    const handled = new Set(rows.map(({ event_id }) => event_id))
    const expected = emitted.filter(({ type }) => (types as readonly string[]).includes(type))
    return expected.filter(({ event_id }) => !handled.has(event_id)).map(({ type }) => `${name} ${type}`)
  })
  return (await Promise.all(missing)).flat()
}

/** Holds the books of all services and of the provider against each other. Prints the figures, and fails on any difference. */
export async function audit(stack: TestStack, initial: number, print: (line: string) => void): Promise<void> {
  const { orders, byStatus } = await auditOrders(stack)
  print(`${orders.length} orders: ${[...byStatus].map(([status, { length }]) => `${status} ${length}`).join(', ')}`)
  await auditMoney(stack, orders, print)
  await auditStock(stack, orders, initial, print)
  await auditEvents(stack, orders, print)
}

type OrderRow = { id: string; status: string; total_amount: number; sequence: number }

async function auditOrders(stack: TestStack) {
  const orders: OrderRow[] = await stack.sql('orders', 'SELECT id, status, total_amount, sequence FROM orders')
  const byStatus = Map.groupBy(orders, ({ status }) => status)
  const moves = await stack.sql(
    'orders',
    `SELECT order_id, coalesce("from"::text, '') || '-' || "to" AS move, "to" FROM order_transitions
     WHERE "from" IS DISTINCT FROM "to" ORDER BY order_id, position`,
  )
  const paths = Map.groupBy(moves, ({ order_id }) => order_id)
  for (const { id, status } of orders) {
    const path = paths.get(id) ?? []
    for (const { move } of path) assert.ok(legal.includes(move), `order ${id} went ${move}`)
    assert.equal(path.at(-1)?.to, status, `the history of order ${id} ends in its status`)
  }
  assert.equal(byStatus.get('PENDING'), undefined, 'every order is final, or paid')
  return { orders, byStatus }
}

/** What the provider took and gave back, by its own books, against what the shop believes. */
async function auditMoney(stack: TestStack, orders: readonly OrderRow[], print: (line: string) => void): Promise<void> {
  const rows = await stack.sql(
    'payments',
    `SELECT p.order_id, p.status, p.amount, p.refunded_amount,
       coalesce((SELECT c.amount FROM sandbox.charges c WHERE c.id = p.id AND c.status = 'captured'), 0) AS charged,
       coalesce((SELECT sum(r.amount)::int FROM sandbox.refunds r WHERE r.charge_id = p.id AND r.status = 'succeeded'), 0) AS returned
     FROM payments p`,
  )
  const payments = Map.groupBy(rows, ({ order_id }) => order_id)
  const wrong: string[] = []
  let [charged, returned, kept] = [0, 0, 0]
  for (const { id, status, total_amount: total } of orders) {
    const own = payments.get(id) ?? []
    const net = own.reduce((sum, row) => sum + row.charged - row.returned, 0)
    const refunded = own.reduce((sum, row) => sum + row.refunded_amount, 0)
    if (net !== (status === 'CANCELLED' ? 0 : total - refunded))
      wrong.push(`order ${id} is ${status}, net ${net} of ${total}`)
    charged += own.reduce((sum, row) => sum + row.charged, 0)
    returned += own.reduce((sum, row) => sum + row.returned, 0)
    kept += net
  }
  const strange = rows.filter(
    ({ status, charged, returned, refunded_amount }) =>
      status !== 'DECLINED' && (charged - returned < 0 || refunded_amount !== returned || charged === 0),
  )
  const [{ foreign }] = await stack.sql(
    'payments',
    'SELECT count(*)::int AS foreign FROM sandbox.charges WHERE id NOT IN (SELECT id FROM payments)',
  )
  print(
    `${rows.length} payments: charged ${charged}, returned ${returned}, kept ${kept}; ${wrong.length} orders whose money is wrong`,
  )
  assert.deepEqual(wrong, [])
  assert.deepEqual(strange, [])
  assert.equal(foreign, 0, 'nothing was charged that the shop does not know')
}

async function auditStock(
  stack: TestStack,
  orders: readonly OrderRow[],
  initial: number,
  print: (line: string) => void,
): Promise<void> {
  const [{ available, ledger }] = await stack.sql(
    'products',
    `SELECT sum(available)::int AS available, (SELECT sum(delta)::int FROM stock_entries) AS ledger FROM products`,
  )
  const lines = await stack.sql(
    'products',
    `SELECT r.order_id, r.status, coalesce(sum(l.quantity), 0)::int AS quantity
     FROM reservations r LEFT JOIN reservation_lines l USING (order_id) GROUP BY r.order_id, r.status`,
  )
  const quantityOf = (status: string) =>
    lines.filter((line) => line.status === status).reduce((sum, { quantity }) => sum + quantity, 0)
  const [held, sold, returned] = [quantityOf('HELD'), quantityOf('COMMITTED'), quantityOf('RETURNED')]
  print(`stock ${available} + held ${held} + sold ${sold} = initial ${initial} (${returned} sold and returned)`)
  assert.equal(available + held + sold, initial)
  assert.equal(ledger, available)
  const statusOf = new Map(orders.map(({ id, status }) => [id, status]))
  const live = lines.filter(({ status }) => status === 'HELD' || status === 'COMMITTED')
  const orphans = live.filter(({ order_id }) => !statusOf.has(order_id))
  print(`${lines.length} reservations, ${orphans.length} of them alive without an order`)
  assert.deepEqual(orphans, [])
  const sent = ['PAID', 'SHIPPED', 'DELIVERED']
  const unsold = orders.filter(({ status }) => sent.includes(status)).map(({ id }) => id)
  assert.deepEqual(live.map(({ order_id }) => order_id).sort(), unsold.sort(), 'what is paid is sold, and nothing else')
}

async function auditEvents(
  stack: TestStack,
  orders: readonly OrderRow[],
  print: (line: string) => void,
): Promise<void> {
  const counts = await Promise.all(
    Object.entries(consumers).map(async ([name]) => {
      const [{ handled }] = await stack.sql(name as 'orders', 'SELECT count(*)::int AS handled FROM inbox')
      return `${name} ${handled}`
    }),
  )
  const missing = await unhandled(stack)
  print(`events handled: ${counts.join(', ')}; ${missing.length} not handled`)
  assert.deepEqual(missing, [])

  const told = await stack.sql(
    'orders',
    'SELECT key, array_agg(sequence ORDER BY id) AS numbers FROM outbox GROUP BY key',
  )
  const numbers = new Map(told.map((row) => [row.key, row.numbers as number[]]))
  for (const { id, sequence } of orders) {
    assert.deepEqual(
      numbers.get(id),
      Array.from({ length: sequence }, (_, n) => n + 1),
      `the events of order ${id}`,
    )
  }
  await auditNotes(stack)
  const twice = await stack.sql(
    'payments',
    `SELECT data->>'paymentId' AS id FROM outbox WHERE type = 'payment.captured' GROUP BY 1 HAVING count(*) > 1
     UNION ALL SELECT data->>'refundId' FROM outbox WHERE type = 'payment.refunded' GROUP BY 1 HAVING count(*) > 1`,
  )
  assert.deepEqual(twice, [], 'a capture and a refund are told of once')
  await auditNotifications(stack, print)
}

export async function auditNotifications(stack: TestStack, print: (line: string) => void): Promise<void> {
  const emitted = `SELECT type, data->>'orderId' AS id, count(*)::int AS times FROM outbox GROUP BY 1, 2`
  const events = [...(await stack.sql('orders', emitted)), ...(await stack.sql('payments', emitted))]
  const expected = events.flatMap(({ type, id, times }) => {
    const told = toldOf[type as keyof typeof toldOf]
    return told ? [`${id} ${told} ${times}`] : []
  })
  const rows = await stack.sql(
    'notifications',
    'SELECT type, order_id AS id, count(*)::int AS times FROM notifications WHERE order_id IS NOT NULL GROUP BY 1, 2',
  )
  const found = rows.map(({ type, id, times }) => `${id} ${type} ${times}`)
  print(
    `${rows.reduce((sum, { times }) => sum + times, 0)} notifications about orders, one for each event that tells of something`,
  )
  assert.deepEqual(found.sort(), expected.sort())
}

/** An event that is handled twice writes twice into the history: what is written there of refunds is what was told of them. */
async function auditNotes(stack: TestStack): Promise<void> {
  const told = await stack.sql(
    'payments',
    `SELECT key AS id, 'REFUNDED ' || (data->'amount'->>'amount') || ' ' || (data->'amount'->>'currency') AS reason
     FROM outbox WHERE type = 'payment.refunded'`,
  )
  const noted = await stack.sql(
    'orders',
    `SELECT order_id AS id, reason FROM order_transitions WHERE "from" = "to" AND reason LIKE 'REFUNDED %'`,
  )
  const lines = (rows: { id: string; reason: string }[]) => rows.map(({ id, reason }) => `${id} ${reason}`).sort()
  assert.deepEqual(lines(noted), lines(told), 'each refund is written down once with its order')
}
