/**
 * Text that somebody gave: names, reasons, tracking numbers. It may be made to deceive: to break a header into two, to
 * turn the reading order of what follows, to hide.
 */

/** First strong isolate and its end. Within templates they mark what was given, which itself holds neither. */
const [open, close] = ['\u2068', '\u2069']

/** Seen by nobody: bidi controls, zero widths and the like, without those that join letters or choose a glyph. */
const unseen = /[\p{Default_Ignorable_Code_Point}--[\u200c\u200d\ufe00-\ufe0f\u{e0020}-\u{e007f}\u{e0100}-\u{e01ef}]]/gv
const breaks = /[\s\p{Cc}\p{Z}]+/gv

/** One line of it, marked as given, of at most `most` UTF-16 units. Empty when nothing is to be seen. */
export function given(text: string, most: number): string {
  const line = clip(text.toWellFormed().replaceAll(unseen, '').replaceAll(breaks, ' ').trim(), most)
  return line && `${open}${line}${close}`
}

/** The text without marks. */
export function unmarked(text: string): string {
  return text.replaceAll(/[\u2068\u2069]/g, '')
}

/** The text as HTML: whatever was given is text and nothing else, in an isolate of its own. */
export function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    .replaceAll(open, '<bdi>')
    .replaceAll(close, '</bdi>')
}

/** The text, or its beginning and the mark that there was more. Cuts no character in two. */
export function clip(text: string, most: number, mark = '…'): string {
  if (text.length <= most) return text
  const kept = text.slice(0, most - mark.length).replace(/[\ud800-\udbff]$/, '')
  return `${kept.trimEnd()}${mark}`
}
