import { createHash } from 'node:crypto'
import type { Channel, PushTarget } from '../domain/channel.ts'
import { writeMessage } from './message-folder.ts'
import { pushPayload } from './push-payload.ts'

/**
 * Push messages as files, one `<message>-<hash of the endpoint>.json` each, since a message may go to several browsers, with
 * what the browser would have got. A repeat writes the same file.
 */
export function createPushFolder(folder: string): Channel<PushTarget> {
  return {
    async send(message, { endpoint }, signal) {
      signal.throwIfAborted()
      const browser = createHash('sha256').update(endpoint).digest('hex').slice(0, 8)
      const content = { endpoint, payload: JSON.parse(pushPayload(message)) }
      await writeMessage(folder, `${message.id}-${browser}.json`, `${JSON.stringify(content, null, 2)}\n`)
      return { sent: true }
    },
    async close() {},
  }
}
