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
