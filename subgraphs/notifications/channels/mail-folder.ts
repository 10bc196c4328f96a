import { createTransport } from 'nodemailer'
import type { Channel, EmailTarget } from '../domain/channel.ts'
import { createMailWriter } from './mail.ts'
import { writeMessage } from './message-folder.ts'

/**
 * E-mail as files, one `<message>.eml` each, for machines without a mail server. A repeat writes the same file with
 * the same Message-ID.
 */
export function createMailFolder({ folder, from }: { folder: string; from: string }): Channel<EmailTarget> {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' })
  const write = createMailWriter(from)

  return {
    async send(message, target, signal) {
      signal.throwIfAborted()
      const { message: mail } = await transport.sendMail(write(message, target))
      await writeMessage(folder, `${message.id}.eml`, mail as Buffer)
      return { sent: true }
    },
    async close() {},
  }
}
