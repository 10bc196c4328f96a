/** The place of the gateway: passes each request on to the services that its kind needs, one after the other, and does nothing else. */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { Pool } from 'undici'
import type { Kind } from '../shop/mix.ts'
import { exchange } from './exchange.ts'

const ports: Record<string, number> = JSON.parse(process.argv[2] ?? '{}')
const services = new Map(Object.entries(ports).map(([name, port]) => [name, new Pool(`http://127.0.0.1:${port}`)]))

createServer(async (request, response) => {
  const body = await text(request)
  const kind = decodeURIComponent(request.url?.slice(1) ?? '') as Kind
  let answer = ''
  for (const [index, { to }] of exchange[kind].entries()) {
    const path = `/${encodeURIComponent(kind)}/${index}`
    const called = await services.get(to)?.request({ method: 'POST', path, body })
    answer = (await called?.body.text()) ?? ''
  }
  response.end(answer)
}).listen(Number(process.argv[3]), '127.0.0.1', () => process.send?.('ready'))
