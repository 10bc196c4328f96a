import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { kafkaBrokers, redisUrl } from '../../test/infra/parts.ts'
import { startTestStack, type TestStack } from '../../test/infra/stack.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { processNames } from '../../tools/stack.ts'
import { prometheusMissing, startPrometheus } from './prometheus.ts'
import { dashboards, rules, selectorsOf } from './queries.ts'

const missing = prometheusMissing()
if (missing && process.env.REQUIRE_REAL === '1') throw new Error(`REQUIRE_REAL=1, and ${missing}.`)

describe('dashboards and alerts on a running shop', { skip: missing ?? false }, () => {
  let stack: TestStack
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>

  before(async () => {
    const url = redisUrl()
    const redis = url && { env: { REDIS_URL: url, REDIS_PREFIX: `${randomUUID()}.` } }
    stack = await startTestStack({
      events: kafkaBrokers() ? 'Kafka' : 'PostgreSQL',
      ...(redis && { extra: { gateway: redis, users: redis, products: redis } }),
    })
    const { ports } = stack
    prometheus = await startPrometheus(
      Object.fromEntries(processNames.map((name) => [name, `127.0.0.1:${ports[name].http}`])),
    )
    await scraped('up{job="commerce"} == 1', processNames.length)
    // Twice, since what a counter has from the start did not rise. Each process is asked at moments of its own: all of them
    // have to be asked between the rounds, and after them.
    for (let round = 0; round < 2; round++) {
      await trade()
      await scraped('outbox_pending == 0', 4)
      await scraped(`sum(events_published_total{type="order.paid"}) == ${round + 1}`)
      await scraped(`sum(events_published_total{type="payment.declined"}) == ${round + 1}`)
      await scraped(`sum(notifications_total{status="sent"}) > ${round}`)
      await scraped(`timestamp(up{job="commerce"}) > ${Date.now() / 1000}`, processNames.length)
    }
  })
  after(async () => {
    prometheus?.stop()
    await stack?.stop()
  })

  const scraped = (expression: string, series = 1) =>
    waitFor(expression, async () => (await prometheus.query(expression)).length >= series, 60_000)

  /** Somebody signs up, looks, orders until little is left, pays, is declined, and cancels an order that is not there. */
  async function trade(): Promise<void> {
    const [product = ''] = await stack.addProducts(6)
    const { token } = await stack.signUp()
    for (let look = 0; look < 2; look++)
      await stack.graphql('query ($id: ID!) { product(id: $id) { name } }', { id: product })
    await stack.payOrder(token, await stack.placeOrder(token, product))
    const declined = await stack.placeOrder(token, product)
    await stack.payOrder(token, declined, 'pm_card_visa_chargeDeclined')
    const input = { orderId: randomUUID(), reason: 'changed my mind' }
    assert.notDeepEqual((await stack.mutate('cancelOrder', 'order { id }', input, token)).errors, [])
  }

  for (const { title, panels } of dashboards) {
    test(`every query of ${title} returns data`, async () => {
      for (const panel of panels) {
        for (const { expr } of panel.targets) {
          for (const service of expr.includes('$service') ? processNames : ['']) {
            // Over all there was: what happened stays in it, however long this takes.
            const expression = expr.replaceAll('$__rate_interval', '1h').replaceAll('$service', service)
            await waitFor(`${panel.title}: ${expression}`, async () => {
              const samples = await prometheus.query(expression)
              return samples.some(({ value: [, value] }) => Number.isFinite(Number(value)))
            })
          }
        }
      }
    })
  }

  test('every series that an alert or a rule names is there', async () => {
    const recorded = new Set(rules.map(({ record }) => record))
    const selectors = new Set(
      rules.flatMap(({ expr }) => selectorsOf(expr)).filter((selector) => !recorded.has(selector)),
    )
    assert.ok(selectors.size > 15)
    for (const selector of selectors) await scraped(selector)
  })

  test('no alert is about to fire on a shop that works', async () => {
    // How fast this machine is is another question: a process that was late for a scrape is there at the next one.
    const alerts = () => prometheus.query('ALERTS{alertname!~"RequestsSlow.*|EventLoopLate"}')
    await waitFor('no alerts', async () => (await alerts()).length === 0).catch(async (error) => {
      throw new Error(JSON.stringify(await alerts()), { cause: error })
    })
  })

  test('a service that ends is seen', async () => {
    await stack.processes.payments.stop()
    await scraped('up{service="payments"} == 0')
    await scraped('ALERTS{alertname="ProcessDown", service="payments", alertstate="pending"}')
  })
})
