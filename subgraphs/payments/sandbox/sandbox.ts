import type { FastifyInstance } from 'fastify'
import { createHttpClient } from '#platform/http-client.ts'
import { type Callback, createLedger, type Query } from './ledger.ts'
import { behaviourOf } from './methods.ts'
import { serveSandbox } from './routes.ts'
import { sign, signatureHeader } from './signature.ts'

export type SandboxOptions = {
  query: Query
  /** What the shop proves itself with, and what callbacks are signed with. */
  secret: string
  /** Where payers and the shop reach the sandbox. */
  url: string
  /** Where callbacks are sent. */
  webhookUrl: string
  now: () => Date
  /** Told when there may be something to do: a turn is due. */
  onWork: () => void
  /** Told of a callback that was not taken. It is sent again, for three days. */
  onUndelivered: (error: unknown) => void
}

/** Charges that one turn captures at once, and callbacks that it sends. */
const limit = 20
/** Milliseconds between looks for callbacks that nobody took for days. */
const giveUpInterval = 60_000
/** Milliseconds that the shop has to take a callback. */
const callbackTimeout = 5_000

/**
 * A payment provider for development and tests, which plays another party: it keeps its own books, is asked over HTTP, and
 * calls back signed, again and again until its callback is taken. It can be told to make trouble (./methods.ts).
 */
export function createSandbox({ query, secret, url, webhookUrl, now, onWork, onUndelivered }: SandboxOptions) {
  const ledger = createLedger(query)
  let giveUpAt = 0
  const webhook = createHttpClient({ name: 'webhook', url: webhookUrl, timeout: callbackTimeout })

  async function send({ id, body }: Callback): Promise<void> {
    try {
      const signature = sign(secret, body, Math.floor(now().getTime() / 1000))
      const headers = { 'content-type': 'application/json', [signatureHeader]: signature }
      await webhook.tell({ method: 'POST', path: '', headers, body, idempotent: false })
      await ledger.delivered(id)
    } catch (error) {
      onUndelivered(error)
    }
  }

  return {
    routes: (app: FastifyInstance) =>
      serveSandbox(app, { ledger, secret, url, onWork, send: (callbacks) => callbacks.forEach(send) }),
    /** Captures what is due, and sends what is to be told. True when there is more to do at once. */
    async turn(): Promise<boolean> {
      while (await ledger.settle(behaviourOf, limit));
      if (performance.now() >= giveUpAt) {
        giveUpAt = performance.now() + giveUpInterval
        await ledger.giveUp()
      }
      const due = await ledger.takeDue(limit)
      await Promise.all(due.map(send))
      return due.length === limit
    },
    close: () => webhook.close(),
  }
}
