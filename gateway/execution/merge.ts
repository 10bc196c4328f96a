import { type Data, isObject, own, setOwn } from '../objects.ts'

/**
 * Adds what a subgraph answered to what is known of the same object. Objects, and elements of lists that are as long, are joined
 * likewise; anything else is replaced. What is added is not copied, and two objects that are the same entity may share it.
 */
export function merge(target: Data, source: Data): void {
  if (target === source) return
  for (const name in source) {
    const value = source[name]
    if (value === undefined) continue
    const found = target[name]
    // What every object has by a name of its own is there, so this is never `__proto__`.
    if (found === undefined) target[name] = value
    else if (found !== value) replace(target, name, value)
  }
}

function replace(target: Data, name: string, value: unknown): void {
  const known = own(target, name)
  if (isObject(value) && isObject(known)) merge(known, value)
  else if (Array.isArray(value) && Array.isArray(known) && value.length === known.length) mergeList(known, value)
  else setOwn(target, name, value)
}

function mergeList(target: unknown[], source: readonly unknown[]): void {
  for (let index = 0; index < source.length; index++) {
    const value = source[index]
    const known = target[index]
    if (isObject(known) && isObject(value)) merge(known, value)
    else if (Array.isArray(known) && Array.isArray(value) && known.length === value.length) mergeList(known, value)
    else target[index] = value
  }
}
