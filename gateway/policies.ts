import type { Policies } from './authorization/rules.ts'

/** What `@policy` directives name, and who meets it. A supergraph that names any other is not loaded. */
export const policies: Policies = {
  /** Works for the shop: has any scope beyond its own data. */
  staff: ({ scopes }) => scopes.length > 0,
}
