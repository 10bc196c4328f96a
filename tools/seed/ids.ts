import { createHash } from 'node:crypto'

/** The same id for the same name, so that a second run finds what the first one made. */
export function idOf(name: string): string {
  const hash = createHash('sha256').update(`commerce-supergraph ${name}`).digest('hex')
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}
