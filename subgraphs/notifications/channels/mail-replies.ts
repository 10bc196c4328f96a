import { ServiceError } from '#platform/errors.ts'

/** What nodemailer tells of a failure. */
type MailError = { code?: unknown; command?: unknown; responseCode?: unknown; response?: unknown }

/**
 * Replies that speak of us, whatever they answer: 500, 502, 503, 504 and 555 of how we talk, 530, 534, 535 and 538 of how
 * we sign in. https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3, https://www.rfc-editor.org/rfc/rfc4954#section-6
 */
const aboutUs = new Set([500, 502, 503, 504, 530, 534, 535, 538, 555])

/**
 * Why the mail cannot reach this receiver, now or later: a reply of 5yz to their address or to the mail. Undefined for all
 * else. What a server says before, at the greeting, the sign-in or our own address, is no refusal of the receiver; nor is
 * a policy (5.7.x) that the address meets: it is how servers say that they do not relay for us.
 */
export function mailRefusal(error: unknown): string | undefined {
  const { code, command, responseCode, response } = (error ?? {}) as MailError
  // Found out before anything was sent: what stands there is no address.
  if (code === 'EENVELOPE' && command === 'API') return 'address'
  if (command !== 'RCPT TO' && command !== 'DATA') return undefined
  if (typeof responseCode !== 'number' || responseCode < 500 || aboutUs.has(responseCode)) return undefined
  if (command === 'RCPT TO' && /^\d{3}[ -]5\.7\.\d/.test(String(response))) return undefined
  return `smtp ${responseCode}`
}

/** A failure that may pass, in words that name the step and the reply's code and nothing else. */
export function mailFailure(error: unknown): ServiceError {
  const { code, command, responseCode } = (error ?? {}) as MailError
  const step = typeof command === 'string' && command !== 'CONN' && command !== 'API' ? ` to ${command}` : ''
  const what =
    typeof responseCode === 'number'
      ? `The mail server answered${step} with ${responseCode}.`
      : `The mail server could not be reached or broke off${step}: ${typeof code === 'string' ? code : 'Error'}.`
  return new ServiceError('SUBGRAPH_UNAVAILABLE', what, { subgraph: 'mail server', retryAfter: 1 })
}
