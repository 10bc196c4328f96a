import { connect, type Socket } from 'node:net'

/** An answer as it stood on the wire. */
export type Reply = { status: number; headers: Record<string, string>; body: string }

/** What is sent, whether HTTP allows it or not. A header that is undefined is left out, a list is sent line by line. */
export type RawRequest = {
  method?: string
  target?: string
  headers?: Record<string, string | readonly string[] | undefined>
  body?: string | Buffer | undefined
}

/** Milliseconds that an answer may take: more than the gateway waits for any request. */
const patience = 45_000

/** The bytes of a request that asks for the connection to be closed after it. */
export function rawRequest({ method = 'POST', target = '/graphql', headers = {}, body = '' }: RawRequest): Buffer {
  const bytes = Buffer.from(body)
  const lines = Object.entries({
    host: 'gateway',
    connection: 'close',
    ...(method === 'POST' && { 'content-type': 'application/json' }),
    ...((method === 'POST' || bytes.length > 0) && { 'content-length': String(bytes.length) }),
    ...headers,
  }).flatMap(([name, values]) => [values ?? []].flat().map((value) => `${name}: ${value}\r\n`))
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), bytes])
}

/**
 * Sends bytes as they are, piece by piece with a pause before each but the first, and returns what was answered when the
 * gateway closed the connection. `end` says that nothing follows. Throws for a gateway that neither answers nor closes.
 */
export async function exchange(
  port: number,
  pieces: readonly (Buffer | string)[],
  { pause = 0, end = false } = {},
): Promise<Reply[]> {
  const socket = await open(port)
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const impatience = setTimeout(() => socket.destroy(new Error('No end in time.')), patience)
  let failure: Error | undefined
  socket.on('error', (error) => (failure = error))
  const all = [...pieces]
  const sendNext = () => {
    const piece = all.shift()
    if (piece !== undefined) socket.write(piece)
    if (all.length === 0 && end) socket.end()
    // Nobody waits for the rest once it is refused.
    if (all.length > 0 && !socket.destroyed) setTimeout(sendNext, pause).unref()
  }
  sendNext()
  await closed
  clearTimeout(impatience)
  // A reset after the answer is how a server leaves behind what it does not want to read.
  if (failure?.message === 'No end in time.') throw failure
  return repliesIn(Buffer.concat(received).toString('latin1'))
}

/** A connection whose other end may close it at any time. */
export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: false }, () => {
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** Reads answers that follow each other. Those to HEAD have no body, whatever their headers say. */
function repliesIn(text: string): Reply[] {
  const replies: Reply[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at)
    const [statusLine = '', ...lines] = text.slice(at, end).split('\r\n')
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine) ?? []
    if (end < 0 || !status) throw new Error(`This is no answer: ${text.slice(at, at + 100)}`)
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const chunked = headers['transfer-encoding'] === 'chunked'
    const rest = text.slice(end + 4)
    const sent = chunked
      ? rest.slice(0, rest.indexOf('0\r\n\r\n') + 5)
      : rest.slice(0, Number(headers['content-length'] ?? 0))
    const body = chunked ? sent.replace(/(?:^|\r\n)[0-9a-f]+\r\n(?:\r\n$)?/g, '') : sent
    at = end + 4 + sent.length
    if (status !== '100')
      replies.push({ status: Number(status), headers, body: Buffer.from(body, 'latin1').toString() })
  }
  return replies
}
