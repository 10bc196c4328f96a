import { type DefinitionNode, parse } from 'graphql'
import type { SubgraphSource } from './graph.ts'

export type Place = { readonly file: string; readonly line: number }

/**
 * Where types, fields, arguments and enum values stand, by coordinate (`Product`, `Product.name`, `Query.product.id`). One that
 * is not there, since it was removed, has the place of what it was in. Undefined where that is gone as well.
 */
export function placesOf(subgraphs: readonly SubgraphSource[]) {
  const places = subgraphs.map((subgraph) => ({
    subgraph: subgraph.name,
    lines: linesOf(subgraph),
    file: subgraph.file,
  }))
  return (coordinate: string, subgraph?: string): Place | undefined => {
    for (let path = coordinate; path; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
      for (const { subgraph: name, lines, file } of places) {
        const line = subgraph === undefined || subgraph === name ? lines.get(path) : undefined
        if (line !== undefined) return { file, line }
      }
    }
    const file = places.find(({ subgraph: name }) => name === subgraph)?.file
    return file === undefined ? undefined : { file, line: 1 }
  }
}

export type Places = ReturnType<typeof placesOf>

function linesOf({ sdl }: SubgraphSource): Map<string, number> {
  const lines = new Map<string, number>()
  type Named = { name: { value: string; loc?: { startToken: { line: number } } | undefined } }
  const note = (path: string, { name }: Named) => {
    if (name.loc && !lines.has(path)) lines.set(path, name.loc.startToken.line)
  }
  for (const node of definitionsOf(sdl)) {
    if (!('name' in node) || !node.name) continue
    const type = node.name.value
    note(type, { name: node.name })
    if ('values' in node) for (const value of node.values ?? []) note(`${type}.${value.name.value}`, value)
    if (!('fields' in node)) continue
    for (const field of node.fields ?? []) {
      const path = `${type}.${field.name.value}`
      note(path, field)
      if ('arguments' in field)
        for (const argument of field.arguments ?? []) note(`${path}.${argument.name.value}`, argument)
    }
  }
  return lines
}

function definitionsOf(sdl: string): readonly DefinitionNode[] {
  try {
    return parse(sdl).definitions
  } catch {
    return []
  }
}
