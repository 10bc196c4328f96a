import { setImmediate as turn } from 'node:timers/promises'
import type { ExecutionResult, GraphQLFormattedError } from 'graphql'
import { ServiceError } from '#platform/errors.ts'
import type { Mask } from '#platform/mask.ts'
import { failWith, inSpanOf } from '#platform/telemetry/span.ts'
import type { Variables } from './cost/formula.ts'
import { Refusal, refusalOf } from './errors.ts'
import type { Executed, Executor, GatewayContext } from './executor.ts'
import type { Params, ParsedRequest } from './http/params.ts'
import type { OperationMeter } from './meters.ts'
import { isSafe, type Operation, type Operations, type Prepared, selectOperation } from './operations.ts'
import type { Persisted, Resolved } from './persisted.ts'
import type { Work } from './rate-limit.ts'
import type { Degraded } from './resilience.ts'
import { withTraceId } from './trace.ts'

/** How a request came. */
export type Call = {
  readonly context: GatewayContext
  /** By GET nothing may change. */
  readonly safe: boolean
  /** What the client calls itself. */
  readonly client?: string | undefined
  /** The client asks what its operations cost. */
  readonly reportCost: boolean
  /** Charges the caller for the operations and gives the headers that tell what is left. Throws RATE_LIMITED. */
  readonly charge: (work: Work) => Promise<Readonly<Record<string, string>>>
}

/** Characters of an operation's name that a span keeps. */
const longestName = 128

/** One operation of a request, ready to be executed. */
type Ready = {
  readonly prepared: Prepared
  readonly operation: Operation
  readonly params: Params
  readonly variables: Variables
  readonly cost: number
}

type Response = {
  data?: ExecutionResult['data']
  errors?: readonly GraphQLFormattedError[]
  extensions?: Record<string, unknown>
}

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Response | readonly Response[]
}

export type PipelineOptions = {
  persisted: Persisted
  operations: Operations
  execute: Executor
  /** The subgraphs that do not answer as they should, for `extensions.subgraphs`. */
  degraded: () => readonly Degraded[]
  /** Units of cost that one operation may be estimated at. Undefined: any. Read at each request, as are the next two. */
  maxCost: () => number | undefined
  /** Whether callers are charged by cost. Where nothing asks for it, it is not estimated. */
  chargesCost: () => boolean
  /** Errors that are reported for one operation's variables. */
  mostErrors: () => number
  formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError
  mask: Mask
  /** Told of each operation, whatever came of it. */
  onOperation?: OperationMeter
}

/**
 * From the parameters of a request to its answer: find the text, check it, choose the operation, coerce the variables,
 * estimate the cost, charge the caller, execute. An operation that is refused costs the others of its batch nothing.
 */
export function createPipeline(options: PipelineOptions) {
  const { persisted, operations, execute, degraded, chargesCost, mostErrors, formatError, mask } = options
  const { onOperation } = options

  async function ready(params: Params, { safe, reportCost }: Call): Promise<Ready> {
    const resolved = await persisted.resolve(params)
    const prepared = operations.known(resolved.text) ?? admitted(resolved)
    if (resolved.onValid) await resolved.onValid()
    const operation = selectOperation(prepared, params.operationName)
    if (safe && !isSafe(operation)) {
      const error = new ServiceError('BAD_REQUEST', 'GET is for queries. Send a mutation by POST.')
      throw refusalOf(error, 405, { allow: 'POST' })
    }
    const variables = coerce(operation, params.variables)
    const maxCost = options.maxCost()
    const asked = reportCost || maxCost !== undefined || chargesCost()
    const cost = asked ? operation.cost().estimate(variables) : 0
    if (maxCost !== undefined && cost > maxCost) {
      throw new ServiceError('OPERATION_TOO_COMPLEX', `The operation may cost ${cost}: the limit is ${maxCost}.`)
    }
    return { prepared, operation, params, variables, cost }
  }

  function admitted({ text }: Resolved): Prepared {
    persisted.admit(text)
    return operations.prepare(text)
  }

  function coerce(operation: Operation, variables: Variables): Variables {
    const { coerced, errors } = operation.coerce(variables, mostErrors())
    if (coerced) return coerced
    throw new Refusal(
      errors.map(({ message }) => ({ message, extensions: { code: 'BAD_USER_INPUT' } })),
      400,
    )
  }

  /** Executes an operation in a span of its own. https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans */
  function executed({ prepared, operation, params, variables }: Ready, { context }: Call): Promise<Executed> {
    const { node, name } = operation
    const attributes = {
      'graphql.operation.type': node.operation,
      ...(name && { 'graphql.operation.name': name.slice(0, longestName) }),
    }
    return inSpanOf(context, node.operation, { attributes }, async (context, span) => {
      const result = await execute({
        document: prepared.document,
        hash: prepared.hash,
        characters: prepared.text.length,
        operation: node,
        variables: params.variables,
        coerced: variables,
        context,
      })
      if (result.errors?.length) failWith(span, result.errors[0]?.extensions)
      return result
    })
  }

  async function run(ready: Ready, call: Call): Promise<Answer> {
    const { operation, variables, cost } = ready
    const { data, errors = [], extensions, status = 200 } = await executed(ready, call)
    const reported = call.reportCost && {
      cost: { estimated: cost, actual: operation.cost().actual(variables, data ?? null) },
    }
    const subgraphs = degraded()
    const body: Response = {}
    if (data !== undefined) body.data = data
    if (errors.length > 0) {
      const formatted = errors.map((error) => formatError(error.toJSON(), error))
      body.errors = withTraceId(formatted, call.context)
    }
    if (extensions || reported || subgraphs.length > 0) {
      body.extensions = { ...extensions, ...reported, ...(subgraphs.length > 0 && { subgraphs }) }
    }
    return { status, headers: none, body }
  }

  function refused(error: unknown, { context }: Call): Answer {
    const { status, headers, errors } = error instanceof Refusal ? error : refusalOf(mask(error))
    return { status, headers, body: { errors: withTraceId(errors, context) } }
  }

  function measure(each: Ready | Answer, { body }: Answer, call: Call, started: number): void {
    onOperation?.({
      prepared: 'status' in each ? undefined : each.prepared,
      client: call.client,
      seconds: (performance.now() - started) / 1_000,
      codes: errorsIn(body).map(({ extensions }) => extensions?.code),
    })
  }

  async function settle(each: Ready | Answer, call: Call, started: number): Promise<Answer> {
    const answer = 'status' in each ? each : await run(each, call).catch((error) => refused(error, call))
    measure(each, answer, call, started)
    return answer
  }

  return async function answer({ operations: asked, batch }: ParsedRequest, call: Call): Promise<Answer> {
    const started = performance.now()
    const prepared: (Ready | Answer)[] = []
    for (const params of asked) {
      // Others are served between the operations of a batch.
      if (prepared.length > 0) await turn()
      prepared.push(await ready(params, call).catch((error) => refused(error, call)))
    }
    let headers: Readonly<Record<string, string>>
    try {
      headers = await call.charge(workOf(prepared))
      for (const each of prepared) if (!('status' in each)) each.operation.planning.charged(each.variables)
    } catch (error) {
      const answer = refused(error, call)
      for (const each of prepared) measure(each, answer, call, started)
      return answer
    }
    const [only] = prepared
    if (!batch && only) {
      const { status, headers: own, body } = await settle(only, call, started)
      return { status, headers: own === none ? headers : { ...own, ...headers }, body }
    }
    const settling: Promise<Answer>[] = []
    for (const each of prepared) {
      // And between their beginnings, in which they are planned.
      if (settling.length > 0) await turn()
      settling.push(settle(each, call, started))
    }
    const answers = await Promise.all(settling)
    const [first] = answers
    const status = answers.every((each) => each.status === first?.status) ? (first?.status ?? 200) : 200
    return { status, headers, body: answers.flatMap(({ body }) => body) }
  }
}

const none: Readonly<Record<string, string>> = Object.freeze({})
const noErrors: readonly GraphQLFormattedError[] = Object.freeze([])

/** The errors of an answer, those of a batch together. */
export function errorsIn(body: Answer['body']): readonly GraphQLFormattedError[] {
  return isBatch(body) ? body.flatMap(({ errors = noErrors }) => errors) : (body.errors ?? noErrors)
}

function isBatch(body: Answer['body']): body is readonly Response[] {
  return Array.isArray(body)
}

/** What is refused costs one unit: it took work to find out. */
export const refusedWork: Work = { operations: 1, cost: 1, fields: new Map() }

function workOf(prepared: readonly (Ready | Answer)[]): Work {
  const fields = new Map<string, number>()
  let cost = 0
  for (const each of prepared) {
    if ('status' in each) {
      cost += refusedWork.cost
      continue
    }
    cost += Math.max(1, each.cost) + each.operation.planning.estimate(each.variables)
    for (const [field, times] of each.operation.rootFields) fields.set(field, (fields.get(field) ?? 0) + times)
  }
  return { operations: prepared.length, cost, fields }
}
