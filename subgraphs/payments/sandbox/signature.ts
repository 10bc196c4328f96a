import { createHmac, timingSafeEqual } from 'node:crypto'

/** How the sandbox signs its callbacks: as Stripe does. https://docs.stripe.com/webhooks#verify-manually */
export const signatureHeader = 'sandbox-signature'

/** The header for a body that is sent at `seconds` since the epoch. */
export function sign(secret: string, body: string | Buffer, seconds: number): string {
  return `t=${seconds},v1=${digest(secret, body, String(seconds)).toString('hex')}`
}

const shape = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/

/** Whether a body was signed with the secret at most `tolerance` seconds before `seconds`, or after it. */
export function isSigned(
  secret: string,
  body: Buffer,
  header: unknown,
  { seconds, tolerance }: { seconds: number; tolerance: number },
): boolean {
  const [, time = '', signature = ''] = shape.exec(typeof header === 'string' ? header : '') ?? []
  if (!signature || Math.abs(seconds - Number(time)) > tolerance) return false
  return timingSafeEqual(digest(secret, body, time), Buffer.from(signature, 'hex'))
}

function digest(secret: string, body: string | Buffer, time: string): Buffer {
  return createHmac('sha256', secret).update(`${time}.`).update(body).digest()
}
