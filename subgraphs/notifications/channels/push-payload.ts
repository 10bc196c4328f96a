import type { Message } from '../domain/channel.ts'

/**
 * Bytes of a payload: a push service takes 4096 once it is encrypted, which adds a header of 86 and a tag and a delimiter
 * of 17. https://www.rfc-editor.org/rfc/rfc8291#section-4
 */
export const payloadLimit = 3_993
/** Bytes that a title may take of it. */
const titleLimit = 1_000
const ellipsis = '…'

/** What a browser gets to show, as JSON: `{ id, title, body }`. Texts that are too long are cut. */
export function pushPayload({ id, title, short }: Pick<Message, 'id' | 'title' | 'short'>): string {
  const cutTitle = cut(title, titleLimit)
  const rest = payloadLimit - bytesOf(JSON.stringify({ id, title: cutTitle, body: '' }))
  return JSON.stringify({ id, title: cutTitle, body: cut(short, rest) })
}

/** A text that takes at most so many bytes within JSON. No character is parted. */
function cut(text: string, limit: number): string {
  if (size(text) <= limit) return text
  let left = limit - size(ellipsis)
  let kept = ''
  for (const character of text) {
    left -= size(character)
    if (left < 0) break
    kept += character
  }
  return kept + ellipsis
}

const bytesOf = (text: string) => Buffer.byteLength(text)
/** Without the quotes around it. */
const size = (text: string) => bytesOf(JSON.stringify(text)) - 2
