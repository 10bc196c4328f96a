import type { Attempt, Door } from './front-door-attempts.ts'
import { exchange, open, rawRequest } from './front-door-wire.ts'

const body = '{"query":"{ __typename }"}'
const late = '408 BAD_REQUEST'
const start = 'POST /graphql HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n'

/** Clients that take their time. Each lasts as long as the gateway lets it. */
export function slow({ port }: Door): Attempt[] {
  const drip = { pause: 1_000 }
  const attempt = (what: string, expected: string, run: Attempt['run']) => ({ what: `slow: ${what}`, expected, run })
  return [
    attempt('headers, a byte in a second', late, () => exchange(port, start.split(''), drip)),
    attempt('a body, a byte in a second', late, () =>
      exchange(port, [`${start}content-length: ${body.length}\r\n\r\n`, ...body], drip),
    ),
    attempt('chunks, a byte in a second', late, () =>
      exchange(port, [`${start}transfer-encoding: chunked\r\n\r\n`, ...Array(60).fill('1\r\n{\r\n')], drip),
    ),
    attempt('a body that is shorter than it says', late, () =>
      exchange(port, [`${start}content-length: 1000\r\n\r\n${body}`]),
    ),
    attempt('a body that ends too soon', '400 BAD_REQUEST', () =>
      exchange(port, [`${start}content-length: 1000\r\n\r\n${body}`], { end: true }),
    ),
    attempt('headers that end too soon', '400 BAD_REQUEST', () => exchange(port, [start], { end: true })),
    attempt('a connection that ends at once', 'closed', () => exchange(port, [], { end: true })),
    attempt('a request with its end', '200 data', () => exchange(port, [rawRequest({ body })], { end: true })),
    ...Array.from({ length: 200 }, (_, n) => attempt(`idle connection ${n + 1}`, late, () => exchange(port, []))),
  ]
}

/**
 * Sends requests whose answers it never reads, a hundred in a second, until `done`. Returns how many of their bytes the
 * gateway took.
 */
export async function neverRead(port: number, done: Promise<unknown>): Promise<number> {
  const request = rawRequest({
    headers: { connection: 'keep-alive' },
    body: '{"query":"{ __schema { types { name description fields { name description } } } }"}',
  })
  const socket = await open(port)
  socket.on('error', () => {})
  socket.pause()
  const sending = setInterval(() => socket.writableNeedDrain || socket.write(request), 10)
  await done
  clearInterval(sending)
  const taken = socket.bytesWritten - socket.writableLength
  socket.destroy()
  return taken
}
