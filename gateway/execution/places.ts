import type { ResponsePath } from '@apollo/query-planner'
import { type Data, own } from '../objects.ts'

export type Path = readonly (string | number)[]

/** Stands in the path of a plan for each element of a list. */
const each = '@'

/** The objects at the path of a plan, in the order of the answer. What is null, or was not answered, is left out. */
export function collect(root: Data, path: ResponsePath): Data[] {
  let level: unknown[] = [root]
  for (const key of path) {
    const next: unknown[] = []
    for (const value of level) {
      if (value === null || value === undefined) continue
      if (key !== each) next.push(own(value as Data, String(key)))
      else if (Array.isArray(value)) for (const element of value) next.push(element)
    }
    level = next
  }
  return level.filter((value) => typeof value === 'object' && value !== null) as Data[]
}

/** Where in the answer these objects stand, in the same order. */
export function placesOf(root: Data, path: ResponsePath): Path[] {
  let level: { at: Path; value: unknown }[] = [{ at: [], value: root }]
  for (const key of path) {
    level = level.flatMap(({ at, value }) => {
      if (value === null || value === undefined) return []
      if (key !== each) return [{ at: [...at, String(key)], value: own(value as Data, String(key)) }]
      return Array.isArray(value) ? value.map((element, index) => ({ at: [...at, index], value: element })) : []
    })
  }
  return level.flatMap(({ at, value }) => (typeof value === 'object' && value !== null ? [at] : []))
}
