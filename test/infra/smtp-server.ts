import type { AddressInfo } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerSession } from 'smtp-server'
import type { Certificate } from './certificate.ts'

/** Where in the conversation a server misbehaves: at the greeting, the sign-in, the sender, the receiver, or after the mail. */
export type SmtpStage = 'connect' | 'auth' | 'sender' | 'receiver' | 'mail'
/** A reply such as `550 5.1.1 No such user`; no reply at all; or the end of the connection. */
export type SmtpFault = `${number} ${string}` | 'hang' | 'drop'

export type ReceivedMail = {
  readonly parsed: ParsedMail
  readonly raw: string
  readonly from: string
  readonly to: readonly string[]
  /** Whether it came by TLS, and who signed in. */
  readonly secure: boolean
  readonly user: string | undefined
}

export type SmtpServerOptions = {
  /** Without one there is no TLS. */
  certificate?: Certificate
  /** TLS from the start. */
  secure?: boolean
  /** Who must sign in. Default: nobody. */
  account?: { user: string; password: string }
}

/** A mail server on this machine that keeps what it takes, and misbehaves where it is told to. */
export async function startSmtpServer({ certificate, secure = false, account }: SmtpServerOptions = {}) {
  const mails: ReceivedMail[] = []
  const faults: Partial<Record<SmtpStage, SmtpFault>> = {}
  let connections = 0

  /** Ends a step of the conversation as it is told to. */
  function pass(stage: SmtpStage, session: SMTPServerSession, done: (error?: Error | null) => void): void {
    const fault = faults[stage]
    if (fault === undefined) done()
    else if (fault === 'drop') drop(session)
    else if (fault !== 'hang') done(reply(fault))
  }

  function drop(session: SMTPServerSession): void {
    for (const connection of server.connections) if (connection.id === session.id) connection._socket.destroy()
  }

  const server = new SMTPServer({
    ...(certificate ?? {}),
    secure,
    authOptional: !account,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    // The code in a fault's words is the one that is sent.
    hideENHANCEDSTATUSCODES: true,
    disabledCommands: [...(certificate ? [] : ['STARTTLS']), ...(account ? [] : ['AUTH'])],
    closeTimeout: 100,
    onConnect(session, done) {
      connections++
      pass('connect', session, done)
    },
    onAuth({ username, password }, session, done) {
      const known = username === account?.user && password === account?.password
      if (!known) done(reply('535 5.7.8 Wrong credentials'))
      else pass('auth', session, (error) => done(error, { user: username ?? '' }))
    },
    onMailFrom: (_address, session, done) => pass('sender', session, done),
    onRcptTo: (_address, session, done) => pass('receiver', session, done),
    async onData(stream, session, done) {
      const raw = await readAll(stream)
      // Whoever left in the middle sent no mail.
      if (!raw) return
      const parsed = await simpleParser(raw)
      pass('mail', session, (error) => {
        const { mailFrom, rcptTo } = session.envelope
        const to = rcptTo.map(({ address }) => address)
        const from = mailFrom ? mailFrom.address : ''
        const { secure, user } = session
        if (!error) mails.push({ parsed, raw: raw.toString(), from, to, secure, user: user ? String(user) : undefined })
        done(error)
      })
    },
  })
  // A client that leaves in the middle is none of the server's faults.
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo

  return {
    port,
    mails,
    faults,
    /** How often somebody connected. */
    connections: () => connections,
    /** How many are connected now. */
    connected: () => server.connections.size,
    /** Ends every connection, as a server does that starts anew. */
    dropAll() {
      for (const connection of server.connections) connection._socket.destroy()
    },
    async close() {
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Undefined when the sender leaves in the middle. */
async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  try {
    return Buffer.concat(await Array.fromAsync(stream))
  } catch {
    return undefined
  }
}

/** A refusal as the library wants it. */
function reply(fault: `${number} ${string}`): Error {
  const [code = '', ...words] = fault.split(' ')
  return Object.assign(new Error(words.join(' ')), { responseCode: Number(code) })
}

export type SmtpTestServer = Awaited<ReturnType<typeof startSmtpServer>>
