import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { breakerState } from '../infra/breakers.ts'
import { kafkaBrokers } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import { type Step, steps } from './crash-points.ts'
import { type Drill, stockQuery } from './drill.ts'

/** Seconds, short so that the drill can wait for both. */
const hold = 4
const lease = 2
const initial = 10

export const orderCrash: Drill = {
  summary: 'the orders process killed with -9 at each step of createOrder and of its event',
  async run({ short, print }) {
    const logs = short || !kafkaBrokers() ? (['PostgreSQL'] as const) : (['PostgreSQL', 'Kafka'] as const)
    for (const events of logs) await crashAtEachStep(events, print)
  },
}

async function crashAtEachStep(events: 'PostgreSQL' | 'Kafka', print: (line: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-crash-'))
  const crashFile = join(folder, 'step')
  const stack = await startTestStack({
    events,
    extra: {
      orders: {
        env: { CRASH_FILE: crashFile, ORDER_CLAIM_LEASE: String(lease) },
        nodeOptions: ['--import', join(import.meta.dirname, 'crash-points.ts')],
      },
      products: { env: { RESERVATION_HOLD: String(hold), RESERVATION_SWEEP_INTERVAL: '1' } },
    },
  })
  try {
    print(`events on ${events}`)
    const { token } = await stack.signUp()
    for (const again of [true, false]) {
      const products = await stack.addProducts(...steps.map(() => initial))
      const keys: string[] = []
      for (const [index, step] of steps.entries()) keys.push(await crash(step, products[index] ?? ''))
      if (again) await Promise.all(keys.map((key, index) => repeat(token, products[index] ?? '', key)))
      for (const [index, step] of steps.entries()) {
        const figures = await settle(stack, products[index] ?? '', keys[index] ?? '')
        print(
          `  killed after "${step}", ${again ? 'sent again' : 'not sent again'}: ${figures.orders} order, ` +
            `${figures.notifications} notification, ${figures.mails} e-mail, held ${figures.held}, stock ${figures.available} of ${initial}`,
        )
        const placed = again || steps.indexOf(step) >= steps.indexOf('order placed') ? 1 : 0
        assert.deepEqual(figures, {
          orders: placed,
          notifications: placed,
          mails: placed,
          held: 0,
          available: initial,
          ledger: initial,
          initial,
        })
      }
    }

    async function crash(step: Step, productId: string): Promise<string> {
      // The event of the order before must be gone, or its publishing would be what dies.
      await waitFor('an empty outbox', async () => (await unsent(stack)) === 0)
      // The crash before may have opened it, and what it refuses reaches no step.
      await waitFor('a closed breaker', async () => (await breakerState(stack, 'gateway', 'orders')) !== 'open')
      const key = randomUUID()
      const restarted = stack.processes.orders.nextReady()
      writeFileSync(crashFile, step)
      do {
        await stack.createOrder(token, [{ productId, quantity: 1 }], key)
        // On a slow machine it may have been given up before it came to the step.
        await Promise.race([restarted, sleep(5_000)])
      } while (existsSync(crashFile))
      await restarted
      return key
    }

    async function repeat(token: string, productId: string, key: string): Promise<void> {
      await waitFor('the order', async () => {
        const { errors } = await stack.createOrder(token, [{ productId, quantity: 1 }], key)
        if (errors[0]) assert.ok(errors[0].extensions.retryAfter, JSON.stringify(errors[0]))
        return errors.length === 0
      })
    }
  } finally {
    await stack.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function unsent(stack: TestStack): Promise<number> {
  return (await stack.sql('orders', 'SELECT FROM outbox WHERE sent_at IS NULL')).length
}

/** Waits until nothing moves any more, holds being short, and counts what there is. */
async function settle(stack: TestStack, product: string, key: string) {
  const ofKey = `JOIN claims c ON c.order_id = o.id WHERE c.idempotency_key = $1`
  await waitFor('every hold to end', async () => {
    const [{ held }] = await stack.sql('products', stockQuery, [[product]])
    const waiting = await stack.sql('orders', `SELECT FROM orders o ${ofKey} AND o.status = 'PENDING'`, [key])
    return held === 0 && waiting.length === 0 && (await unsent(stack)) === 0
  })
  const orders = await stack.sql('orders', `SELECT o.id FROM orders o ${ofKey}`, [key])
  const ids = orders.map(({ id }) => id)
  const told = await waitFor('every notification to be sent', async () => {
    const rows = await stack.sql(
      'notifications',
      `SELECT d.id, d.status FROM notifications n JOIN deliveries d ON d.notification_id = n.id WHERE n.order_id = ANY($1) AND n.type = 'ORDER_PLACED'`,
      [ids],
    )
    return rows.length >= ids.length && rows.every(({ status }) => status === 'SENT') && rows
  })
  const mails = told.filter(({ id }) => existsSync(join(stack.mailFolder, `${id}.eml`)))
  const [{ id: _, ...stock }] = await stack.sql('products', stockQuery, [[product]])
  return { orders: orders.length, notifications: told.length, mails: mails.length, ...stock }
}
