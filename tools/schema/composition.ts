import { composeServices } from '@apollo/composition'
import { type ASTNode, type DocumentNode, GraphQLError, parse, Source } from 'graphql'
import type { SubgraphSource } from './graph.ts'
import { placesOf } from './places.ts'

/** Something to say of a schema, and where it stands. */
export type Remark = { readonly message: string; readonly file?: string; readonly line?: number }

/** What subgraphs compose to, or what stands in the way. */
export type Composition =
  | { readonly sdl: string; readonly hints: readonly Remark[]; readonly faults?: never }
  | { readonly sdl?: never; readonly hints?: never; readonly faults: readonly Remark[] }

/** Composes subgraphs. Never throws: what is no GraphQL is a fault too. */
export function composeSubgraphs(subgraphs: readonly SubgraphSource[]): Composition {
  const parsed = subgraphs.map((subgraph) => ({ ...subgraph, typeDefs: parsedOrFault(subgraph) }))
  const unreadable = parsed.flatMap(({ typeDefs }) => ('kind' in typeDefs ? [] : [typeDefs]))
  if (unreadable.length > 0) return { faults: unreadable }
  const services = parsed.flatMap(({ name, url, typeDefs }) => ('kind' in typeDefs ? [{ name, url, typeDefs }] : []))
  const { supergraphSdl, errors, hints } = composeServices(services)
  if (errors) return { faults: errors.map((error) => remarkOf(error.message, error.nodes ?? [], subgraphs)) }
  return {
    sdl: `${supergraphSdl.trim()}\n`,
    hints: hints.map(({ message, nodes = [] }) => remarkOf(message, nodes, subgraphs)),
  }
}

/** `file:line: message`, or as much of it as is known. */
export function lineOf({ message, file, line }: Remark): string {
  return file === undefined ? message : `${file}${line === undefined ? '' : `:${line}`}: ${message}`
}

function parsedOrFault({ sdl, file, name }: SubgraphSource): DocumentNode | Remark {
  try {
    return parse(new Source(sdl, file))
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    const [{ line } = {}] = error.locations ?? []
    return { message: `[${name}] ${error.message}`, file, ...(line !== undefined && { line }) }
  }
}

/** Says where it stands: by its first node with a place, else by the field that cannot be reached or by the subgraph it names. */
function remarkOf(message: string, nodes: readonly ASTNode[], subgraphs: readonly SubgraphSource[]): Remark {
  const files = new Set(subgraphs.map(({ file }) => file))
  const place = nodes.find(({ loc }) => loc && files.has(loc.source.name))?.loc
  if (place) return { message, file: place.source.name, line: place.startToken.line }
  const [, field] = /cannot find field "(\w+\.\w+)"/.exec(message) ?? []
  const found = field && placesOf(subgraphs)(field)
  if (found) return { message, ...found }
  const [, subgraph] = /^\[([\w-]+)\]/.exec(message) ?? []
  const file = subgraphs.find(({ name }) => name === subgraph)?.file
  return { message, ...(file && { file }) }
}
