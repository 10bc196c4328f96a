import { createHash } from 'node:crypto'
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import { type Audit, actorOf } from '#platform/audit.ts'
import { httpStatus } from '#platform/http.ts'
import { type Completion, createCompletion } from './authorization/complete.ts'
import { type Filtered, filterOperation } from './authorization/filter.ts'
import { compileAccessRules, meets, type Policies, type Rule } from './authorization/rules.ts'
import type { Executed, Execution, Executor } from './executor.ts'
import { fieldsIn, fragmentsOf, partsIn } from './selections.ts'

export type AuthorizationOptions = {
  /** What the supergraph's `@policy` directives name. */
  policies: Policies
  /** What becomes of an operation with fields that its caller may not see: they are null, or all of it is refused. */
  unauthorized: 'null' | 'reject'
  audit: Audit
}

/** Forms of documents that are remembered, each without what one kind of caller may not see, and their bytes, estimated. */
const mostForms = 2_000
const formsBytes = 24 * 1024 ** 2
/** What a form takes, each part of it and each field that is remembered for its sake, and each character of the document. */
const formBytes = 2_000
const partBytes = 600
const characterBytes = 4

/** An operation without what one kind of caller may not see, under a hash of its own. */
type Form = Filtered & { readonly hash: string; readonly original: DocumentNode; readonly characters: number }

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
    const forms = new LRUCache<string, Form>({
      max: mostForms,
      maxSize: formsBytes,
      sizeCalculation: ({ document, original, characters, dirty, removed }, key) =>
        formBytes +
        2 * key.length +
        characterBytes * characters +
        partBytes * (partsIn(document) + partsIn(original) + dirty.size + removed.size),
    })

    function protectedFieldsOf({ document }: Execution): Map<string, Rule> {
      const known = protectedFields.get(document)
      if (known) return known
      const found = new Map<string, Rule>()
      for (const [{ name: type }, { name }] of fieldsIn(schema, document)) {
        const rule = rules(type, name.value)
        if (rule) found.set(`${type}.${name.value}`, rule)
      }
      protectedFields.set(document, found)
      return found
    }

    function withoutRefused({ hash, characters, document, operation }: Execution, refused: ReadonlySet<string>) {
      const key = [hash, operation.name?.value, ...refused].join(' ')
      const known = forms.get(key)
      // It speaks of nodes, and the same text may have been parsed anew.
      if (known?.original === document) return known
      const made = filterOperation(schema, document, operation, (type, field) => refused.has(`${type}.${field}`))
      const entry = { ...made, hash: createHash('sha256').update(key).digest('hex'), original: document, characters }
      forms.set(key, entry)
      return entry
    }

    return async function executeAuthorized(request) {
      const { principal } = request.context
      const guarded = protectedFieldsOf(request)
      if (guarded.size === 0) return execute(request)
      const refused = new Set<string>()
      for (const [field, rule] of guarded) if (!meets(principal, rule, policies)) refused.add(field)
      if (refused.size === 0) return execute(request)
      const left = withoutRefused(request, refused)
      if (left.removed.size === 0) return execute(request)

      const code = principal.anonymous ? 'UNAUTHENTICATED' : 'FORBIDDEN'
      audit({
        action: 'access.refused',
        ...actorOf(principal),
        detail: { code, fields: [...new Set(left.removed.values())] },
      })
      const completion = createCompletion(executionOf(schema, request), request.operation, left)
      const refusals = () =>
        completion.places().map(
          (path) =>
            new GraphQLError(principal.anonymous ? 'Sign in to do this.' : 'You are not allowed to do this.', {
              path,
              extensions: { code },
            }),
        )
      if (unauthorized === 'reject') {
        completion.complete(null)
        const errors = refusals()
        // There are none when conditions exclude all that is refused.
        if (errors.length > 0) return { errors, status: httpStatus[code] }
      }
      const { data: answered, errors: failures = [], ...rest } = await executeLeft(request, left, completion)
      const data = completion.complete(answered ?? null)
      const errors = [...failures, ...refusals()]
      return { ...rest, data, ...(errors.length > 0 && { errors }) }
    }

    async function executeLeft(
      request: Execution,
      { document, operation, hash }: Form,
      { leavesNothing }: Completion,
    ): Promise<Executed> {
      // No mutation runs whose answer is known to be lost.
      if (leavesNothing()) return { data: null }
      return operation ? execute({ ...request, document, operation, hash }) : { data: {} }
    }
  }
}

function executionOf(schema: GraphQLSchema, { document, coerced }: Execution) {
  return { schema, fragments: fragmentsOf(document), variables: coerced }
}
