/**
 * The load generator, a process of its own: it must not wait for whoever measures, nor they for it. It is told what to send
 * by messages, and answers each with what came of it.
 */
import { Pool } from 'undici'
import { arrive } from './arrivals.ts'
import { createMeasures, type Measured } from './measures.ts'
import { type Customer, createMix, type Mix, type Request, type Unpaid } from './mix.ts'

/** What the process is first told. */
export type Target = { urls: string[]; mix: Mix; customers: Customer[]; products: number }
/** What it is told then: how many requests at which rate a second. */
export type Run = { rate: number; count: number }
/** `orders` are those that were paid, and when each was begun, in milliseconds since 1970, had its customer paid as soon as it was placed. */
export type Ran = { measured: Measured; orders: [id: string, begun: number][] }

type Data = { login?: { accessToken: string } | null; createOrder?: { order: { id: string } } | null }
type Answer = { data?: Data | null; errors?: { extensions?: { code?: string } }[] }

/** Connections to the gateways. More requests wait for one, which counts as theirs. */
const connections = 256
/** Milliseconds that an answer may take: more than the gateway's own limit. */
const timeout = 15_000

process.once('message', ({ urls, ...wanted }: Target) => {
  const limits = { connections: connections / urls.length, headersTimeout: timeout, bodyTimeout: timeout }
  const gateways = urls.map((url) => ({ path: new URL(url).pathname, pool: new Pool(new URL(url).origin, limits) }))
  const next = createMix(wanted)
  const measures = createMeasures()
  const unpaid: Unpaid[] = []
  let orders: Ran['orders'] = []
  let number = 0

  async function send(_: number, due: number): Promise<void> {
    const gateway = gateways[number % gateways.length]
    const request = next(number++, unpaid)
    if (!gateway) return
    let error: string | undefined
    try {
      const { statusCode, body } = await gateway.pool.request({
        path: gateway.path,
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${request.customer.token}` },
        body: request.body,
      })
      const answer = (await body.json()) as Answer
      error = faultOf(statusCode, answer)
      if (!error) remember(request, answer, due)
    } catch (failure) {
      error = (failure as { code?: string }).code ?? 'NO_ANSWER'
    }
    measures.add(request.kind, performance.now() - due, error)
  }

  /** What later requests depend on. */
  function remember({ customer, paid }: Request, { data }: Answer, due: number): void {
    if (data?.login) customer.token = data.login.accessToken
    if (data?.createOrder) unpaid.push({ id: data.createOrder.order.id, customer, took: performance.now() - due })
    if (paid) orders.push([paid.id, performance.timeOrigin + due - paid.took])
  }

  process.on('message', async ({ rate, count }: Run) => {
    const refuse = (_: number, due: number) => measures.add('not sent', performance.now() - due, 'GENERATOR_FULL')
    await arrive({ rate, count, send, refuse })
    const ran: Ran = { measured: measures.take(), orders }
    orders = []
    process.send?.(ran)
  })
  process.once('disconnect', () => {
    for (const { pool } of gateways) void pool.destroy()
  })
  process.send?.('ready')
})

/** Every field of the root is asked for to be there: one that is null is a failure. */
function faultOf(status: number, { data, errors }: Answer): string | undefined {
  if (errors?.[0]) return errors[0].extensions?.code ?? 'UNKNOWN'
  if (status !== 200) return `HTTP_${status}`
  return data && Object.values(data).every((field) => field !== null) ? undefined : 'NO_DATA'
}
