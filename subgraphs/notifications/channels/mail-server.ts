import { createTransport } from 'nodemailer'
import { timedOut } from '#platform/mask.ts'
import type { Channel, EmailTarget } from '../domain/channel.ts'
import { createMailWriter } from './mail.ts'
import { mailFailure, mailRefusal } from './mail-replies.ts'

export type MailServerOptions = {
  /**
   * `smtp://host`, where TLS is begun after the greeting, or `smtps://host`, where it is from the start; both with
   * `user:password@` and a port where there are any. `?tls=off` says that a server has no TLS.
   */
  url: string
  from: string
  /** Whether mail waits rather than goes to a server that offers no TLS. A URL with `?tls=off` lifts it. */
  requireTls: boolean
  /** PEM of the authorities that its certificate is believed for. Default: those that Node knows. */
  ca?: string
  /** Milliseconds that one mail may take, with the wait for a connection. Default 20000. */
  timeout?: number
  /** Connections at once, each kept for the next mails. Default 5. */
  connections?: number
}

/** Milliseconds that a server may be silent: while the connection is made, before its greeting, and at any time after. */
const silence = 10_000

/**
 * E-mail to a mail server, by SMTP. A refusal is what the server says of this receiver or of this mail for good; what it
 * says of us, what it says for now, and its silence are failures that may pass. An error repeats nothing of what the
 * server says, which may be the receiver's address.
 */
export function createMailServer(options: MailServerOptions): Channel<EmailTarget> {
  const { url, from, requireTls, ca, timeout = 20_000, connections = 5 } = options
  const write = createMailWriter(from)
  const transport = createTransport({ ...connectionOf(url, requireTls, ca), ...limits(connections) })

  return {
    async send(message, target, signal) {
      const late = AbortSignal.timeout(timeout)
      const mail = { ...write(message, target), signal: AbortSignal.any([signal, late]) }
      try {
        await transport.sendMail(mail)
        return { sent: true }
      } catch (error) {
        signal.throwIfAborted()
        if (late.aborted) throw timedOut('mail server')
        const reason = mailRefusal(error)
        if (reason === undefined) throw mailFailure(error)
        return { sent: false, reason }
      }
    },
    async close() {
      transport.close()
    },
  }
}

function connectionOf(text: string, requireTls: boolean, ca: string | undefined) {
  const url = new URL(text)
  const secure = url.protocol === 'smtps:'
  const without = url.searchParams.get('tls') === 'off'
  const [user, pass] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    requireTLS: requireTls && !without,
    ignoreTLS: without,
    ...(user && { auth: { user, pass } }),
    ...(ca && { tls: { ca } }),
  }
}

const limits = (connections: number) => ({
  pool: true as const,
  maxConnections: connections,
  // A connection that ended before any of a mail was sent is made anew once; our caller does the rest.
  maxRequeues: 1,
  connectionTimeout: silence,
  greetingTimeout: silence,
  socketTimeout: silence,
  dnsTimeout: silence,
  socketCloseTimeout: 1_000,
  disableFileAccess: true,
  disableUrlAccess: true,
})
