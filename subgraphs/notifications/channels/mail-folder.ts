import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import type { ChannelSender } from '../domain.ts'

/**
 * E-mail as files, one `<message>.eml` each, for machines without a mail server. A repeat writes the same file with
 * the same Message-ID, and a reader never sees half a file.
 */
export function createMailFolder({ folder, from }: { folder: string; from: string }): ChannelSender {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' })
  const domain = from.slice(from.lastIndexOf('@') + 1).replace('>', '')

  return {
    async send({ id, title, body, createdAt }, { name, email }) {
      const { message } = await transport.sendMail({
        messageId: `<${id}@${domain}>`,
        date: createdAt,
        from,
        to: { name, address: email },
        subject: title,
        text: body,
      })
      await mkdir(folder, { recursive: true })
      const unfinished = join(folder, `.${id}`)
      await writeFile(unfinished, message)
      await rename(unfinished, join(folder, `${id}.eml`))
    },
  }
}
