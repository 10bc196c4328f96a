/** Sends the shop's mix at a rate, in an open loop. Told of a run by a message, it answers what came of it. */
import { Pool } from 'undici'
import { arrive } from '../shop/arrivals.ts'
import { createMeasures } from '../shop/measures.ts'
import { type Kind, shopMix, spread } from '../shop/mix.ts'
import { requestBytes } from './exchange.ts'

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 256 })
const order = spread(shopMix)
const body = 'x'.repeat(requestBytes)
const measures = createMeasures()

async function send(n: number, due: number): Promise<void> {
  const kind = order[n % order.length] as Kind
  let error: string | undefined
  try {
    const answer = await pool.request({ method: 'POST', path: `/${encodeURIComponent(kind)}`, body })
    await answer.body.dump()
    if (answer.statusCode !== 200) error = `HTTP_${answer.statusCode}`
  } catch {
    error = 'NO_ANSWER'
  }
  measures.add(kind, performance.now() - due, error)
}

process.on('message', async ({ rate, count }: { rate: number; count: number }) => {
  const refuse = (_: number, due: number) => measures.add('not sent', performance.now() - due, 'GENERATOR_FULL')
  await arrive({ rate, count, send, refuse })
  process.send?.(measures.take())
})
process.once('disconnect', () => void pool.destroy())
process.send?.('ready')
