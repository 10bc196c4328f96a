import { ServiceError } from '#platform/errors.ts'
import { parseCodeRequest } from '../domain/code.ts'
import { type NotificationsDependencies, nameOf } from './dependencies.ts'

/** Milliseconds that a mail server may take for a code, at most. Whoever asked for it waits longer (subgraphs/users/grpc.ts). */
const patience = 10_000

/** One-time codes, which are mailed at once and kept nowhere. */
export function createCodes({ codeMail, templates, now, newId, onUnsentCode }: NotificationsDependencies) {
  return {
    /**
     * Mails a one-time code, before it returns. The code is in the mail and nowhere else: in no table, log, event or
     * error. So a failure is not repeated from here. Throws BAD_USER_INPUT; SUBGRAPH_UNAVAILABLE when the mail could
     * not be handed over, also where the mail server refuses the address.
     */
    async sendCode(input: Parameters<typeof parseCodeRequest>[0]): Promise<void> {
      const { userId, recipient, locale, ...code } = parseCodeRequest(input)
      const text = templates.renderCode(code, { name: recipient.name, locale })
      const message = { id: newId(), ...text, short: text.title, createdAt: now() }
      try {
        const outcome = await codeMail.send(message, recipient, AbortSignal.timeout(patience))
        if (outcome.sent) return
        onUnsentCode({ userId, purpose: code.purpose }, outcome.reason)
      } catch (error) {
        onUnsentCode({ userId, purpose: code.purpose }, nameOf(error))
      }
      // Without its cause: a mail server's words may repeat what it was given.
      throw new ServiceError('SUBGRAPH_UNAVAILABLE', 'The mail could not be handed over.', {
        subgraph: 'notifications',
        retryAfter: 1,
      })
    },
  }
}
