import { createHash } from 'node:crypto'
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  MaxIntrospectionDepthRule,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type ErrorCode, ServiceError } from '#platform/errors.ts'
import { type PlanningCost, planningCostOf } from './cost/planning.ts'
import type { OperationCost } from './cost.ts'
import { Refusal } from './errors.ts'
import { areSameLimits, checkLimits, type Limits, tooComplex } from './limits.ts'
import { partsIn } from './selections.ts'
import { type Coerce, compileVariables } from './variables.ts'

/** A document that is valid for the schema and within the limits. */
export type Prepared = {
  readonly text: string
  /** SHA-256 of the text, in hexadecimal. */
  readonly hash: string
  readonly document: DocumentNode
  readonly operations: readonly Operation[]
}

export type Operation = {
  readonly name: string | undefined
  readonly node: OperationDefinitionNode
  /** `Mutation.register` and the like, and how often it is asked for. */
  readonly rootFields: ReadonlyMap<string, number>
  /** What it costs. Made when it is first asked for. */
  readonly cost: () => OperationCost
  readonly planning: PlanningCost
  readonly coerce: Coerce
}

export type OperationsOptions = {
  schema: GraphQLSchema
  /** Undefined: no limit. Read at each request, so that they may change. */
  limits: () => Limits | undefined
  /** Whether clients may learn the schema: by introspection, and by suggestions in errors. */
  introspection: boolean
  /** Errors that are reported for one document. */
  mostErrors: () => number
  costOf: (document: DocumentNode, operation: OperationDefinitionNode) => OperationCost
  /** Bytes of documents that are remembered, estimated. Default 48 MiB. */
  cacheBytes?: number
}

/** What a cache holds. */
export type Held = { readonly entries: number; readonly bytes: number }

/** Documents that are remembered, however small they are. */
const cacheSize = 2_000
const defaultCacheBytes = 48 * 1024 ** 2
/** What a document takes with its cost, each of its parts, and each character, which may be a value. By measurement, rounded up. */
const documentBytes = 8_000
const partBytes = 400
const characterBytes = 40

/**
 * Turns the text of a document into what is executed, cheapest checks first: tokens, then limits, then validation. What
 * passed is remembered, for as long as the limits stay as they are. Throws GRAPHQL_PARSE_FAILED, OPERATION_TOO_COMPLEX or GRAPHQL_VALIDATION_FAILED.
 */
export function createOperations(options: OperationsOptions) {
  const { schema, introspection, mostErrors, costOf, cacheBytes = defaultCacheBytes } = options
  /** What everything that is remembered is within. */
  let limits = options.limits()
  const cache = new LRUCache<string, Prepared>({
    max: cacheSize,
    maxSize: cacheBytes,
    sizeCalculation: ({ text, document }) =>
      documentBytes + characterBytes * text.length + partBytes * partsIn(document),
  })
  const rules = [
    ...specifiedRules.filter((rule) => rule !== MaxIntrospectionDepthRule),
    ServedOperationsRule,
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ]

  function refreshLimits(): void {
    const now = options.limits()
    if (now === limits) return
    if (!areSameLimits(now, limits)) cache.clear()
    limits = now
  }

  function parseText(text: string): DocumentNode {
    try {
      return parse(text, limits && { maxTokens: limits.MAX_TOKENS })
    } catch (error) {
      const { message } = error as GraphQLError
      if (limits && message.includes('tokens. Parsing aborted.')) throw tooComplex('is too long', limits.MAX_TOKENS)
      if (error instanceof RangeError) throw error
      throw invalid('GRAPHQL_PARSE_FAILED', [error as GraphQLError])
    }
  }

  function prepare(text: string): Prepared {
    const document = parseText(text)
    if (limits) checkLimits(document, limits)
    const errors = validate(schema, document, rules, { maxErrors: mostErrors(), hideSuggestions: !introspection })
    if (errors.some(({ message }) => message === 'Validation aborted.')) {
      throw new ServiceError('OPERATION_TOO_COMPLEX', 'The operation takes too long to check.')
    }
    if (errors.length > 0) throw invalid('GRAPHQL_VALIDATION_FAILED', errors)
    // Without the places in the text, which weigh more than the rest and are for errors alone.
    const kept = parse(text, { noLocation: true })
    return {
      text,
      hash: createHash('sha256').update(text).digest('hex'),
      document: kept,
      operations: kept.definitions
        .filter((node) => node.kind === Kind.OPERATION_DEFINITION)
        .map((node) => operationOf(kept, node)),
    }
  }

  function operationOf(document: DocumentNode, node: OperationDefinitionNode): Operation {
    const coerce = compileVariables(schema, node.variableDefinitions ?? [], { hideSuggestions: !introspection })
    let cost: OperationCost | undefined
    return {
      name: node.name?.value,
      node,
      rootFields: rootFieldsIn(document, node),
      planning: planningCostOf(document, node),
      coerce,
      cost() {
        cost ??= costOf(document, node)
        return cost
      },
    }
  }

  return {
    /** What is remembered now. */
    held: (): Held => ({ entries: cache.size, bytes: cache.calculatedSize }),

    /** A document that was prepared before. */
    known(text: string): Prepared | undefined {
      refreshLimits()
      return cache.get(text)
    },

    prepare(text: string): Prepared {
      refreshLimits()
      try {
        const prepared = prepare(text)
        cache.set(text, prepared)
        return prepared
      } catch (error) {
        // The stack has an end, and a setting can let documents through that are nested beyond it.
        if (!(error instanceof RangeError)) throw error
        throw new ServiceError('OPERATION_TOO_COMPLEX', 'The operation is nested too deep.', {}, { cause: error })
      }
    },
  }
}

export type Operations = ReturnType<typeof createOperations>

/** Chooses the operation to execute. Throws OPERATION_RESOLUTION_FAILURE. */
export function selectOperation({ operations }: Prepared, name: string | undefined): Operation {
  const found = name === undefined ? operations : operations.filter((operation) => operation.name === name)
  const [operation] = found
  if (operation && found.length === 1) return operation
  throw new ServiceError(
    'OPERATION_RESOLUTION_FAILURE',
    name === undefined
      ? 'The document holds no operation, or several and no operationName.'
      : 'The document holds no operation of that name.',
  )
}

/** The root fields of an operation with their types, and how often each is asked for. */
function rootFieldsIn(document: DocumentNode, node: OperationDefinitionNode): ReadonlyMap<string, number> {
  const type = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' }[node.operation]
  const rootFields = new Map<string, number>()
  for (const field of rootFieldsOf(document, node.selectionSet)) {
    const coordinate = `${type}.${field}`
    rootFields.set(coordinate, (rootFields.get(coordinate) ?? 0) + 1)
  }
  return rootFields
}

/** The names of root fields, each as often as it is asked for. */
function rootFieldsOf(document: DocumentNode, { selections }: SelectionSetNode): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection.name.value]
    if (selection.kind === Kind.INLINE_FRAGMENT) return rootFieldsOf(document, selection.selectionSet)
    return document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION && node.name.value === selection.name.value
        ? rootFieldsOf(document, node.selectionSet)
        : [],
    )
  })
}

/** The variable of entity fetches, which holds what they ask for. */
const representations = 'representations'

/**
 * Refuses what the specified rules let pass and nobody here could answer: operations of a type that this schema does not
 * have, subscriptions, and a variable that stands for something else in fetches from subgraphs.
 */
const ServedOperationsRule: ValidationRule = (context) => ({
  VariableDefinition(node) {
    if (node.variable.name.value !== representations) return
    context.reportError(new GraphQLError(`The variable $${representations} is kept for the gateway.`, { nodes: node }))
  },
  OperationDefinition(node) {
    if (node.operation !== OperationTypeNode.SUBSCRIPTION && context.getSchema().getRootType(node.operation)) return
    context.reportError(new GraphQLError(`There is no ${node.operation} here.`, { nodes: node }))
  },
})

/** Whether an operation may be sent by GET. */
export function isSafe({ node }: Operation): boolean {
  return node.operation === OperationTypeNode.QUERY
}

function invalid(code: ErrorCode, errors: readonly GraphQLError[]): Refusal {
  return new Refusal(
    errors.map(({ message, locations }) => ({ message, ...(locations && { locations }), extensions: { code } })),
    400,
  )
}
