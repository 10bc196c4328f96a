import type { FetchNode, ResponsePath } from '@apollo/query-planner'
import { GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql'
import { type FetchVariables, type PlannedFetch, planFetch } from '../forward/planned.ts'
import type { Response } from '../forward/response.ts'
import { type Data, isObject } from '../objects.ts'
import { merge } from './merge.ts'
import { collect, type Path, placesOf } from './places.ts'
import { compileRepresentation } from './representations.ts'
import { compileRewrites } from './rewrites.ts'
import { asGraphQLError, type Run, type Step } from './steps.ts'

export type FetchOptions = {
  /** Of the supergraph, with what clients do not see. */
  schema: GraphQLSchema
  /** Asks a subgraph. What fails is an answer with errors. */
  send: (subgraph: string, fetch: PlannedFetch, variables: FetchVariables, context: Run['context']) => Promise<Response>
  /** The names that clients know, by those that stand for them here. */
  aliases: ReadonlyMap<string, string>
}

/** Errors that one answer may become, where it has no more itself: an entity may stand in any number of places. */
const mostErrors = 100

/** A fetch, of what is at the top of a subgraph's graph or of entities that are known by now. */
export function compileFetch(node: FetchNode, path: ResponsePath, { schema, send, aliases }: FetchOptions): Step {
  const { serviceName, requires, variableUsages = [] } = node
  const planned = planFetch(node)
  const rewrite = compileRewrites(schema, node.outputRewrites)
  /** Where no element of a list is meant. */
  const above = path.slice(0, path.includes('@') ? path.indexOf('@') : path.length)
  const ask = async (run: Run, variables: FetchVariables, placeOf: PlaceOf) => {
    const { data, errors } = await send(serviceName, planned, variables, run.context)
    let left = Math.max(mostErrors, errors?.length ?? 0)
    for (const error of errors ?? []) {
      // A mark of what is not fresh (gateway/stale/) has no extensions, and is told of at every place.
      const places = error.extensions ? placeOf(error.path).slice(0, left) : placeOf(error.path)
      if (error.extensions) left -= places.length
      for (const place of places) run.errors.push(errorAt(told(place), error, serviceName))
    }
    return data
  }
  const told = (place: Path | undefined) =>
    aliases.size === 0 ? place : place?.map((step) => aliases.get(String(step)) ?? step)
  const step = requires ? entitiesStep(requires) : rootStep()
  return async (run) => {
    try {
      await step(run)
    } catch (error) {
      run.errors.push(asGraphQLError(error, 'A fetch failed.'))
    }
  }

  function rootStep(): Step {
    return async (run) => {
      const targets = collect(run.data, path)
      if (targets.length === 0) return
      const values = usedVariables(run, variableUsages)
      const variables = { text: JSON.stringify(values), values }
      const data = await ask(run, variables, (at) => [at && [...above, ...at]])
      rewrite?.(data)
      if (isObject(data)) for (const target of targets) merge(target, data)
    }
  }

  function entitiesStep(requires: NonNullable<FetchNode['requires']>): Step {
    const represent = compileRepresentation(schema, requires, node.inputRewrites)
    return async (run) => {
      const entities = collect(run.data, path)
      const { representations, texts, types, indexes } = distinct(entities, represent)
      if (texts.length === 0) return
      const values = usedVariables(run, variableUsages)
      const others = membersOf(values)
      const variables = {
        text: `{${others}${others && ','}"representations":[${texts.join(',')}]}`,
        values: { ...values, representations },
      }
      const data = await ask(run, variables, placesOfEntities(run, indexes))
      if (!data) return
      const answered = data._entities
      if (!Array.isArray(answered) || answered.length !== texts.length) {
        throw new Error(`${serviceName} was asked for ${texts.length} entities and answered another number.`)
      }
      for (const [index, received] of answered.entries()) {
        if (isObject(received)) received.__typename ||= types[index]
      }
      rewrite?.(answered)
      for (const [index, entity] of entities.entries()) {
        const received = answered[indexes[index] ?? -1]
        if (isObject(received)) merge(entity, received)
      }
    }
  }

  /** From `_entities.<index>.<field>` to every place where that entity stands. */
  function placesOfEntities(run: Run, indexes: readonly number[]): PlaceOf {
    let places: Map<number, Path[]> | undefined
    return (at) => {
      if (!at) return [undefined]
      const [, asked, ...below] = at
      if (typeof asked !== 'number') return [above]
      places ??= Map.groupBy(placesOf(run.data, path), (_place, entity) => indexes[entity] ?? -1)
      return (places.get(asked) ?? [above]).map((place) => [...place, ...below])
    }
  }
}

/** Where in the client's answer stands what stands there in a subgraph's. Undefined: nobody knows. */
type PlaceOf = (at: Path | undefined) => (Path | undefined)[]

/**
 * The entities that a fetch can find, each once, and for each object the index of its entity among them, or -1. What a
 * subgraph takes for the same may be of two types, where it knows but their interface.
 */
function distinct(entities: readonly Data[], represent: (entity: Data) => Data | undefined) {
  const representations: Data[] = []
  const texts: string[] = []
  const types: unknown[] = []
  const known = new Map<string, number>()
  const indexes = entities.map((entity) => {
    const representation = represent(entity)
    if (!representation) return -1
    const text = JSON.stringify(representation)
    const type = entity.__typename
    const key = type === representation.__typename ? text : `${type} ${text}`
    const index = known.get(key)
    if (index !== undefined) return index
    known.set(key, texts.length)
    representations.push(representation)
    types.push(type)
    return texts.push(text) - 1
  })
  return { representations, texts, types, indexes }
}

/** What the client sent of the variables that a fetch uses. */
function usedVariables({ variables }: Run, used: readonly string[]): Run['variables'] {
  // All of them, most of the time.
  if (used.length === Object.keys(variables).length && used.every((name) => Object.hasOwn(variables, name)))
    return variables
  const values: Record<string, unknown> = {}
  for (const name of used) {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined
    if (value !== undefined) values[name] = value
  }
  return values
}

/** The members of a JSON object. */
function membersOf(values: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(values).slice(1, -1)
}

function errorAt(place: Path | undefined, error: GraphQLFormattedError, serviceName: string): GraphQLError {
  return new GraphQLError(error.message || `${serviceName} answered with an error.`, {
    path: place,
    // By which marks are known again.
    originalError: error as GraphQLFormattedError & Error,
    extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', ...error.extensions, serviceName },
  })
}
