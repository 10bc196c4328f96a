import type { Channel, SmsTarget } from '../domain/channel.ts'
import { writeMessage } from './message-folder.ts'

/** SMS as files, one `<message>.json` each, for machines without a gateway. A repeat writes the same file. */
export function createSmsFolder(folder: string): Channel<SmsTarget> {
  return {
    async send({ id, short }, { phone }, signal) {
      signal.throwIfAborted()
      await writeMessage(folder, `${id}.json`, `${JSON.stringify({ id, to: phone, text: short }, null, 2)}\n`)
      return { sent: true }
    },
    async close() {},
  }
}
