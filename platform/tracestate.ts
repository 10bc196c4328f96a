/** Entries of a list, at the most. */
const mostEntries = 32
/**
 * Characters that are passed on, at the most. 512 are owed to every tracing system; this is room for 32 entries of the usual
 * length, and little beside what else a request carries.
 */
const lengthLimit = 2_048
/** Entries with more characters than this make room first. */
const largeEntry = 128

/** `key=value` with optional whitespace around it. Keys: `system`, or `tenant@system`. */
const entryShape =
  /^[ \t]*(([a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])[ \t]*$/
const emptyShape = /^[ \t]*$/

/**
 * What is passed on of the `tracestate` that came with a valid `traceparent`: its entries in their order, without the empty
 * ones and the whitespace between. Undefined when it has none or is not as the recommendation has it, for then nothing of
 * it can be trusted. https://www.w3.org/TR/trace-context-1/#tracestate-header
 */
export function passTracestate(tracestate: string): string | undefined {
  const entries: string[] = []
  const keys = new Set<string>()
  for (const member of tracestate.split(',')) {
    // Empty ones do not count. https://www.rfc-editor.org/rfc/rfc7230#section-7
    if (member === '' || emptyShape.test(member)) continue
    const [, entry, key] = entryShape.exec(member) ?? []
    if (!entry || !key || keys.has(key) || entries.length === mostEntries) return undefined
    keys.add(key)
    entries.push(entry)
  }
  return shorten(entries).join(',') || undefined
}

/** Whole entries go: large ones first, then any, each time the last. */
function shorten(entries: string[]): string[] {
  let length = entries.reduce((sum, entry) => sum + entry.length + 1, -1)
  while (length > lengthLimit) {
    const large = entries.findLastIndex((entry) => entry.length > largeEntry)
    const [removed = ''] = entries.splice(large, 1)
    length -= removed.length + 1
  }
  return entries
}
