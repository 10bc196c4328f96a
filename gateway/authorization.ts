import { createHash } from 'node:crypto'
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  parse,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type Audit, actorOf } from '#platform/audit.ts'
import { httpStatus } from '#platform/http.ts'
import { completeData, type Path } from './authorization/complete.ts'
import { type Filtered, filterOperation } from './authorization/filter.ts'
import { compileAccessRules, meets, type Policies, type Rule } from './authorization/rules.ts'
import type { Executed, Execution, Executor } from './executor.ts'

export type AuthorizationOptions = {
  /** What the supergraph's `@policy` directives name. */
  policies: Policies
  /** What becomes of an operation with fields that its caller may not see: they are null, or all of it is refused. */
  unauthorized: 'null' | 'reject'
  audit: Audit
}

/** Forms of one document that are remembered, each without what one kind of caller may not see. */
const mostForms = 16
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
    // By document and not by its hash, since what is remembered speaks of its nodes, and lives as long.
    const protectedFields = new WeakMap<DocumentNode, Map<string, Rule>>()
    const filtered = new WeakMap<DocumentNode, LRUCache<string, Filtered & { hash: string }>>()

    function protectedFieldsOf({ document }: Execution): Map<string, Rule> {
      const known = protectedFields.get(document)
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
      protectedFields.set(document, found)
      return found
    }

    function withoutRefused({ hash, document, operation }: Execution, refused: ReadonlySet<string>) {
      const forms = filtered.get(document) ?? new LRUCache({ max: mostForms })
      filtered.set(document, forms)
      const key = [hash, operation.name?.value, ...refused].join(' ')
      const known = forms.get(key)
      if (known) return known
      const made = filterOperation(schema, document, operation, (type, field) => refused.has(`${type}.${field}`))
      const entry = { ...made, hash: createHash('sha256').update(key).digest('hex') }
      forms.set(key, entry)
      return entry
    }

    return async function executeAuthorized(request) {
      const { principal } = request.context
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
      const complete = (data: Executed['data']) =>
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
        return { errors: refusals(), status: httpStatus[code] }
      }
      const operation = left.document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
      const result: Executed =
        left.empty || !operation
          ? { data: {} }
          : await execute({ ...request, document: left.document, operation, hash: left.hash })
      const data = complete(result.data)
      return { ...result, data, errors: [...(result.errors ?? []), ...refusals()] }
    }
  }
}

function executionOf(schema: GraphQLSchema, { document, coerced }: Execution) {
  const definitions = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION)
  return { schema, fragments: new Map(definitions.map((node) => [node.name.value, node])), variables: coerced }
}
