import { createHash } from 'node:crypto'
import type { ApolloGateway } from '@apollo/gateway'
import {
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  parse,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type Audit, actorOf } from '#platform/audit.ts'
import { httpStatus } from '#platform/http.ts'
import type { Principal } from '#platform/principal.ts'
import { completeData, type Path } from './authorization/complete.ts'
import { type Filtered, filterOperation } from './authorization/filter.ts'
import { compileAccessRules, meets, type Policies, type Rule } from './authorization/rules.ts'

/** Answers an operation that Apollo Server has validated. */
export type Executor = Awaited<ReturnType<ApolloGateway['load']>>['executor']
type RequestContext = Parameters<Executor>[0]
type Result = Awaited<ReturnType<Executor>>

export type AuthorizationOptions = {
  /** What the supergraph's `@policy` directives name. */
  policies: Policies
  /** What becomes of an operation with fields that its caller may not see: they are null, or all of it is refused. */
  unauthorized: 'null' | 'reject'
  audit: Audit
}

/** Operations whose protected fields are remembered. */
const cacheSize = 1_000
/** Characters of operations that are kept without what their callers may not see. */
const cacheCharacters = 4_000_000
/** Errors about refused fields in one answer. */
const mostErrors = 100

/**
 * Enforces `@authenticated`, `@requiresScopes` and `@policy` as the supergraph schema has them. What a caller may not see
 * is taken out of the operation before it is planned, so that no subgraph is asked for it; it is null in the answer, with
 * an error at its path: `UNAUTHENTICATED` for an anonymous caller, else `FORBIDDEN`.
 */
export function createAuthorization({ policies, unauthorized, audit }: AuthorizationOptions) {
  return function authorize(supergraphSdl: string, schema: GraphQLSchema, execute: Executor): Executor {
    const rules = compileAccessRules(parse(supergraphSdl, { noLocation: true }), schema, policies)
    const protectedFields = new LRUCache<string, Map<string, Rule>>({ max: cacheSize })
    const filtered = new LRUCache<string, Filtered & { hash: string }>({ maxSize: cacheCharacters })

    function protectedFieldsOf({ queryHash, document }: RequestContext): Map<string, Rule> {
      const known = protectedFields.get(queryHash)
      if (known) return known
      const found = new Map<string, Rule>()
      const types = new TypeInfo(schema)
      visit(
        document,
        visitWithTypeInfo(types, {
          Field({ name }) {
            const type = types.getParentType()?.name ?? ''
            const rule = rules(type, name.value)
            if (rule) found.set(`${type}.${name.value}`, rule)
          },
        }),
      )
      protectedFields.set(queryHash, found)
      return found
    }

    function withoutRefused(
      { queryHash, document, operation, source = '' }: RequestContext,
      refused: ReadonlySet<string>,
    ) {
      const key = [queryHash, operation.name?.value, ...refused].join(' ')
      const known = filtered.get(key)
      if (known) return known
      const made = filterOperation(schema, document, operation, (type, field) => refused.has(`${type}.${field}`))
      const entry = { ...made, hash: createHash('sha256').update(key).digest('hex') }
      filtered.set(key, entry, { size: key.length + source.length })
      return entry
    }

    return async function executeAuthorized(request) {
      const { principal } = request.context as { principal: Principal }
      const refused = new Set(
        [...protectedFieldsOf(request)].flatMap(([field, rule]) => (meets(principal, rule, policies) ? [] : [field])),
      )
      if (refused.size === 0) return execute(request)
      const left = withoutRefused(request, refused)
      if (left.removed.size === 0) return execute(request)

      const code = principal.anonymous ? 'UNAUTHENTICATED' : 'FORBIDDEN'
      audit({
        action: 'access.refused',
        ...actorOf(principal),
        detail: { code, fields: [...new Set(left.removed.values())] },
      })
      const places = new Map<string, Path>()
      const complete = (data: Result['data']) =>
        completeData(
          executionOf(schema, request),
          request.operation,
          left,
          data ?? null,
          (path) => places.size < mostErrors && places.set(path.join('.'), path),
        )
      const refusals = () =>
        [...places.values()].map(
          (path) =>
            new GraphQLError(principal.anonymous ? 'Sign in to do this.' : 'You are not allowed to do this.', {
              path,
              extensions: { code },
            }),
        )
      if (unauthorized === 'reject') {
        complete(null)
        if (request.response?.http) request.response.http.status = httpStatus[code]
        return { errors: refusals() }
      }
      const operation = left.document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
      const result: Result =
        left.empty || !operation
          ? { data: {} }
          : await execute({ ...request, document: left.document, operation, queryHash: left.hash })
      const data = complete(result.data)
      return { ...result, data, errors: [...(result.errors ?? []), ...refusals()] }
    }
  }
}

function executionOf(schema: GraphQLSchema, { document, operation, request }: RequestContext) {
  const definitions = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION)
  const { coerced = {} } = getVariableValues(schema, operation.variableDefinitions ?? [], request.variables ?? {})
  return { schema, fragments: new Map(definitions.map((node) => [node.name.value, node])), variables: coerced }
}
