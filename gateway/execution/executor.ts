import type { DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Executed, Execution, Executor } from '../executor.ts'
import { conditionsOf, fragmentsOf, selectionsIn } from '../selections.ts'
import { type Complete, compileCompletion } from './completion.ts'
import { compileFetch, type FetchOptions } from './fetch.ts'
import { createIntrospection } from './introspection.ts'
import type { Planning } from './planner.ts'
import { asGraphQLError, compileSteps, type Run, type Step } from './steps.ts'

export type ExecutorOptions = {
  /** The schema that clients see. */
  schema: GraphQLSchema
  planning: Planning
  send: FetchOptions['send']
  /** Bytes of plans that are remembered, estimated. Default 64 MiB. */
  cacheBytes?: number
}

/** Plans that are remembered, however small they are. */
const cacheSize = 2_000
const defaultCacheBytes = 64 * 1024 ** 2
/** Projections that are kept of one operation: one for each combination of its conditions that was asked for. */
const mostProjections = 8
/** What a plan takes, each character of its JSON and of the document, and each selection of a projection, by measurement, rounded up. */
const planBytes = 8_000
const characterBytes = 16
const documentCharacterBytes = 4
const selectionBytes = 300

/** An operation as it is executed again and again. */
type Compiled = {
  readonly execute: Step
  readonly completionFor: (coerced: Run['coerced']) => Complete
}

/**
 * Executes operations by the plans of Apollo's planner: each plan is compiled once, into what fetches, joins and projects, and kept
 * with its operation. Behaves as Apollo's own executor does, but for what docs/adr/ and the tests name.
 */
export function createExecutor(options: ExecutorOptions) {
  const { schema, planning, send, cacheBytes = defaultCacheBytes } = options
  const cache = new LRUCache<string, Compiled>({ max: cacheSize, maxSize: cacheBytes })

  function compile({ document, characters, operation }: Execution): { compiled: Compiled; size: number } {
    const plan = planning.plan(document, operation.name?.value)
    const execute = compileSteps(plan, (node, path) => compileFetch(node, path, { schema: planning.schema, send }))
    const fragments = fragmentsOf(document)
    const conditions = conditionsOf(document)
    const completionFor = compileProjections(schema, document, operation, fragments, conditions)
    // All that it may have are counted now, whether they are ever asked for or not.
    const projections = Math.min(2 ** conditions.length, mostProjections)
    const size =
      planBytes +
      characterBytes * JSON.stringify(plan).length +
      documentCharacterBytes * characters +
      selectionBytes * selectionsIn(operation, fragments) * projections
    return { compiled: { execute, completionFor }, size }
  }

  function compiledFor(execution: Execution): Compiled {
    const key = `${execution.hash}:${execution.operation.name?.value ?? ''}`
    const known = cache.get(key)
    if (known) return known
    const { compiled, size } = compile(execution)
    cache.set(key, compiled, { size })
    return compiled
  }

  const execute: Executor = async (execution) => {
    try {
      const { execute, completionFor } = compiledFor(execution)
      const { variables, coerced, context } = execution
      const run: Run = { variables, coerced, context, data: Object.create(null), errors: [] }
      await execute(run)
      return answerOf(completionFor(coerced)(run.data, variables), run.errors)
    } catch (error) {
      return { errors: [asGraphQLError(error, 'The operation could not be executed.')] }
    }
  }
  /** Plans that are kept now. */
  const held = () => ({ entries: cache.size, bytes: cache.calculatedSize })
  return Object.assign(execute, { held })
}

/** What is not of the schema counts only where no error tells why something is missing. */
function answerOf({ data, errors: invalid }: ReturnType<Complete>, errors: readonly GraphQLError[]): Executed {
  if (errors.length > 0) return { data, errors }
  return invalid.length > 0 ? { data, extensions: { valueCompletion: invalid } } : { data }
}

/** The projections of an operation, by its conditions. */
function compileProjections(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  fragments: ReturnType<typeof fragmentsOf>,
  conditions: readonly string[],
) {
  const introspect = createIntrospection(schema, document, operation)
  const projections = new LRUCache<string, Complete>({ max: mostProjections })
  return (variables: Run['coerced']): Complete => {
    const key = conditions.map((name) => (variables[name] === true ? '1' : '0')).join('')
    const known = projections.get(key)
    if (known) return known
    const made = compileCompletion(operation, { schema, fragments, variables, introspect })
    projections.set(key, made)
    return made
  }
}
