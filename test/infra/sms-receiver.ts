import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the gateway answers: a status, with headers, or none at all. */
export type SmsAnswer = { status: number; headers?: Record<string, string>; body?: string } | 'hang' | 'drop'

/** An SMS gateway on this machine that believes a message for its signature: anything else is answered with 401. */
export async function startSmsReceiver(secret: string) {
  const received: { headers: IncomingHttpHeaders; body: { id: string; to: string; text: string }; url: string }[] = []
  const state: { answer: SmsAnswer } = { answer: { status: 202 } }
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const { headers, url = '' } = request
    if (!isSigned(key, headers, body)) return void response.writeHead(401).end()
    received.push({ headers, body: JSON.parse(body), url })
    const { answer } = state
    if (answer === 'drop') request.socket.destroy()
    else if (answer !== 'hang') response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}/sms?account=1`,
    state,
    received,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** As Standard Webhooks says, within five minutes. */
function isSigned(key: Buffer, headers: IncomingHttpHeaders, body: string): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) return false
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest()
  return String(signatures)
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice(3), 'base64'))
    .some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected))
}
