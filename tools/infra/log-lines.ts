/** A line of a process's log as people read it: time, level, message and the fields that matter. */
export function readable(line: string): string {
  let entry: Record<string, unknown>
  try {
    entry = JSON.parse(line)
  } catch {
    return line
  }
  const { time, level, msg, service: _service, traceId: _trace, requestId: _request, error, ...fields } = entry
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const words = [
    String(time).slice(11, 23),
    level === 'info' || level === undefined ? '' : String(level).toUpperCase(),
    msg,
    ...rest,
    describe(error),
  ]
  return words.filter((word) => word !== '' && word !== undefined).join(' ')
}

function describe(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { stack, code, message } = error as Record<string, unknown>
  return `\n${stack ?? [code, message].filter(Boolean).join(': ')}`
}
