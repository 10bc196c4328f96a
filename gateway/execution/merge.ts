/** An object of an answer. Its names are those that clients chose. */
export type Data = Record<string, unknown>

/** A property of an object itself, whatever a client called it: `constructor` and `__proto__` are names like any other. */
export function own(object: Data, name: string): unknown {
  return isInherited(name) && !Object.hasOwn(object, name) ? undefined : object[name]
}

export function setOwn(object: Data, name: string, value: unknown): void {
  if (isInherited(name) && !Object.hasOwn(object, name)) {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true })
  } else object[name] = value
}

/** Whether every object has something by this name. */
export function isInherited(name: string): boolean {
  return name in Object.prototype
}

export function isObject(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Adds what a subgraph answered to what is known of the same object. Objects, and elements of lists that are as long, are joined
 * likewise; anything else is replaced. What is added is not copied, and two objects that are the same entity may share it.
 */
export function merge(target: Data, source: Data): void {
  if (target === source) return
  for (const name of Object.keys(source)) {
    const value = source[name]
    if (value === undefined) continue
    const known = own(target, name)
    if (isObject(value) && isObject(known)) merge(known, value)
    else if (Array.isArray(value) && Array.isArray(known) && value.length === known.length) mergeList(known, value)
    else setOwn(target, name, value)
  }
}

function mergeList(target: unknown[], source: readonly unknown[]): void {
  for (const [index, value] of source.entries()) {
    const known = target[index]
    if (isObject(known) && isObject(value)) merge(known, value)
    else if (Array.isArray(known) && Array.isArray(value) && known.length === value.length) mergeList(known, value)
    else target[index] = value
  }
}
