import { domainToASCII } from 'node:url'
import type { EmailTarget, Message } from '../domain/channel.ts'

/**
 * Says a message as a mail: text, and the same in HTML. Its Message-ID and Date are the message's, so that a repeat is
 * known as one. `from`: an address, with a name or without.
 */
export function createMailWriter(from: string) {
  const domain = domainToASCII(from.slice(from.lastIndexOf('@') + 1).replace(/>.*$/, '')) || 'localhost'

  return ({ id, title, body, html, createdAt }: Message, { name, email }: EmailTarget) => ({
    messageId: `<${id}@${domain}>`,
    date: createdAt,
    from,
    // As parts, and never as text that would be taken apart: an address cannot become two.
    to: { name, address: email },
    subject: title,
    text: body,
    ...(html && { html }),
    // Says to those who answer by themselves that nobody reads it. https://www.rfc-editor.org/rfc/rfc3834
    headers: { 'Auto-Submitted': 'auto-generated' },
  })
}
