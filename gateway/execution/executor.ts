import type { QueryPlan } from '@apollo/query-planner'
import type { DocumentNode, GraphQLError, GraphQLSchema } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Executed, Execution, Executor } from '../executor.ts'
import { conditionsOf, fragmentsOf, holding, selectionsIn } from '../selections.ts'
import { type Complete, compileCompletion } from './completion.ts'
import { compileFetch, type FetchOptions } from './fetch.ts'
import { createIntrospection } from './introspection.ts'
import { createPlannedForms } from './planned-form.ts'
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
/** What a plan takes, each character of its JSON and of the document, and each selection of a projection, by measurement, rounded up. */
const planBytes = 8_000
const characterBytes = 16
const documentCharacterBytes = 4
const selectionBytes = 300

/** An operation with the values of its conditions, as it is executed again and again. */
type Compiled = {
  readonly execute: Step
  readonly complete: Complete
}

/**
 * Executes operations by the plans of Apollo's planner: each plan is compiled once, into what fetches, joins and projects, and kept
 * with its operation. Behaves as Apollo's own executor does, but for what docs/adr/ and the tests name.
 */
export function createExecutor(options: ExecutorOptions) {
  const { schema, planning, send, cacheBytes = defaultCacheBytes } = options
  const { plannedForm, sourceOf } = createPlannedForms(planning.schema)
  const cache = new LRUCache<string, Compiled>({ max: cacheSize, maxSize: cacheBytes })
  const conditions = new WeakMap<DocumentNode, readonly string[]>()

  function compile({ document, characters, operation, coerced }: Execution): { compiled: Compiled; size: number } {
    const form = plannedForm(document, operation, coerced)
    const plan: QueryPlan = form.document ? planning.plan(form.document, operation.name?.value) : { kind: 'QueryPlan' }
    const { aliases } = form
    const execute = compileSteps(plan, (node, path) =>
      compileFetch(node, path, { schema: planning.schema, send, aliases }),
    )
    const fragments = fragmentsOf(document)
    const introspect = createIntrospection(schema, document, operation)
    const complete = compileCompletion(operation, { schema, fragments, variables: coerced, introspect, sourceOf })
    const size =
      planBytes +
      characterBytes * JSON.stringify(plan).length +
      documentCharacterBytes * characters +
      selectionBytes * selectionsIn(operation, fragments)
    return { compiled: { execute, complete }, size }
  }

  /** Which of the conditions of an operation hold. */
  function conditionsHolding({ document, coerced }: Execution): string {
    let names = conditions.get(document)
    if (!names) {
      names = conditionsOf(document)
      conditions.set(document, names)
    }
    return holding(names, coerced)
  }

  function compiledFor(execution: Execution): Compiled {
    const key = `${execution.hash}:${execution.operation.name?.value ?? ''}:${conditionsHolding(execution)}`
    const known = cache.get(key)
    if (known) return known
    const { compiled, size } = compile(execution)
    cache.set(key, compiled, { size })
    return compiled
  }

  const execute: Executor = async (execution) => {
    try {
      const { execute, complete } = compiledFor(execution)
      const { variables, context } = execution
      const run: Run = { variables, context, data: Object.create(null), errors: [] }
      await execute(run)
      return answerOf(complete(run.data, variables), run.errors)
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
