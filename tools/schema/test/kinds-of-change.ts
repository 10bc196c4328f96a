import type { Outcome } from '../check.ts'
import type { Edits } from './graph.ts'

/** A kind of change, the finding that tells of it, its verdict where an operation uses it and where none does, and how it is made. */
type KindOfChange = readonly [what: string, kind: string, used: Outcome, unused: Outcome, edits: Edits]

const shelf = (...edits: readonly (readonly [string, string])[]): Edits => ({ shelf: edits })
/** Takes away what refers to a book by its id in `talk`, so that the graph composes without that key. */
const withoutBookIds: Edits = {
  talk: [
    [' book: Book', ''],
    ['type Book @key(fields: "id", resolvable: false) { id: ID! }', ''],
  ],
}
const staff = '[["staff:read", "staff:all"]]'

// biome-ignore format: a table, a line for each kind
export const kindsOfChange: readonly KindOfChange[] = [
  ['field added', 'FIELD_ADDED', 'passes', 'passes', shelf(['pages: Int\n', 'pages: Int\n blurb: String\n'])],
  ['field removed', 'FIELD_REMOVED', 'fails', 'warns', shelf(['subtitle: String', ''])],
  ['field removed that was deprecated', 'FIELD_REMOVED', 'fails', 'passes', shelf(['old: String @deprecated(reason: "Use title.")', ''])],
  ['field deprecated', 'FIELD_DEPRECATION_ADDED', 'passes', 'passes', shelf(['subtitle: String', 'subtitle: String @deprecated(reason: "x")'])],
  ['field renamed', 'FIELD_REMOVED', 'fails', 'warns', shelf(['subtitle: String', 'subheading: String'])],
  ['field changes its type', 'FIELD_TYPE_CHANGED', 'fails', 'warns', shelf(['pages: Int\n', 'pages: String\n'])],
  ['field becomes a list', 'FIELD_TYPE_CHANGED', 'fails', 'warns', shelf(['pages: Int\n', 'pages: [Int!]\n'])],
  ['field becomes nullable', 'FIELD_TYPE_CHANGED', 'fails', 'warns', shelf(['format: Format!\n', 'format: Format\n'])],
  ['field becomes non-null', 'FIELD_TYPE_CHANGED', 'passes', 'passes', shelf(['pages: Int\n', 'pages: Int!\n'])],
  ['field hidden from clients', 'FIELD_REMOVED', 'fails', 'warns', shelf(['subtitle: String', 'subtitle: String @inaccessible'])],
  ['field shown to clients', 'INACCESSIBLE_REMOVED', 'passes', 'passes', shelf(['hidden: String @inaccessible', 'hidden: String'])],
  ['description added', 'FIELD_DESCRIPTION_ADDED', 'passes', 'passes', shelf(['subtitle: String', '"More." subtitle: String'])],
  ['optional argument added', 'FIELD_ARGUMENT_ADDED', 'warns', 'passes', shelf(['media:', 'media(first: Int):'])],
  ['required argument added', 'FIELD_ARGUMENT_ADDED', 'fails', 'warns', shelf(['media:', 'media(first: Int!):'])],
  ['argument removed', 'FIELD_ARGUMENT_REMOVED', 'fails', 'warns', shelf(['edition: Int = 1, ', ''])],
  ['argument made required', 'FIELD_ARGUMENT_TYPE_CHANGED', 'fails', 'warns', shelf(['filter: BookFilter,', 'filter: BookFilter!,'])],
  ['argument made optional', 'FIELD_ARGUMENT_TYPE_CHANGED', 'passes', 'passes', shelf(['id: ID!, edition', 'id: ID, edition'])],
  ['argument changes its type', 'FIELD_ARGUMENT_TYPE_CHANGED', 'fails', 'warns', shelf(['edition: Int = 1', 'edition: String = "1"'])],
  ['default of an argument changed', 'FIELD_ARGUMENT_DEFAULT_CHANGED', 'warns', 'passes', shelf(['first: Int = 20', 'first: Int = 10'])],
  ['default removed that made an argument optional', 'FIELD_ARGUMENT_DEFAULT_CHANGED', 'fails', 'warns', shelf(['strict: Boolean! = true', 'strict: Boolean!'])],
  ['enum value added', 'ENUM_VALUE_ADDED', 'warns', 'passes', shelf(['CLOTH', 'CLOTH VELLUM'])],
  ['enum value removed', 'ENUM_VALUE_REMOVED', 'fails', 'warns', shelf(['CLOTH ', ''])],
  ['union member added', 'UNION_MEMBER_ADDED', 'warns', 'passes', shelf(['Book | Film', 'Book | Film | Person'])],
  ['union member removed', 'UNION_MEMBER_REMOVED', 'fails', 'warns', shelf(['Book | Film', 'Film'])],
  ['interface added to a type', 'OBJECT_TYPE_INTERFACE_ADDED', 'warns', 'passes', shelf(['type Person {', 'type Person implements Titled { title: String!'])],
  ['interface removed from a type', 'OBJECT_TYPE_INTERFACE_REMOVED', 'fails', 'warns', shelf(['Film implements Titled', 'Film'])],
  ['type added', 'TYPE_ADDED', 'passes', 'passes', shelf(['enum Format', 'enum Smell { GOOD BAD }\n enum Format'])],
  ['type removed', 'TYPE_REMOVED', 'fails', 'warns', shelf(['type Film implements Titled { title: String! minutes: Int @shareable }', ''], ['Book | Film', 'Book'])],
  ['type becomes another kind', 'TYPE_KIND_CHANGED', 'fails', 'warns', shelf(['enum Format { PAPER CLOTH SOUND }', 'scalar Format'])],
  ['root type removed', 'TYPE_REMOVED', 'fails', 'warns', shelf(['type Mutation { lend(input: LendInput!): LendPayload @authenticated }', ''])],
  ['optional input field added', 'INPUT_FIELD_ADDED', 'passes', 'passes', shelf(['days: Int', 'days: Int note: String'])],
  ['required input field added', 'INPUT_FIELD_ADDED', 'fails', 'warns', shelf(['days: Int', 'days: Int note: String!'])],
  ['input field removed', 'INPUT_FIELD_REMOVED', 'fails', 'warns', shelf([' days: Int', ''])],
  ['input field made required', 'INPUT_FIELD_TYPE_CHANGED', 'fails', 'warns', shelf(['days: Int', 'days: Int!'])],
  ['input field made optional', 'INPUT_FIELD_TYPE_CHANGED', 'passes', 'passes', shelf(['bookId: ID!', 'bookId: ID'])],
  ['default of an input field changed', 'INPUT_FIELD_DEFAULT_VALUE_CHANGED', 'warns', 'passes', shelf(['pages: Int = 10', 'pages: Int = 20'])],
  ['default removed that made an input field optional', 'INPUT_FIELD_DEFAULT_VALUE_CHANGED', 'fails', 'warns', shelf(['size: Int! = 1', 'size: Int!'])],
  ['key added', 'KEY_ADDED', 'passes', 'passes', shelf(['type Person {', 'type Person @key(fields: "id") {'])],
  ['key removed', 'KEY_REMOVED', 'fails', 'warns', { ...shelf(['@key(fields: "id") @key(fields: "isbn")', '@key(fields: "isbn")']), ...withoutBookIds }],
  ['key no longer resolved', 'KEY_UNRESOLVABLE', 'fails', 'warns', { ...shelf(['@key(fields: "id")', '@key(fields: "id", resolvable: false)']), ...withoutBookIds }],
  ['field requires more', 'REQUIRES_CHANGED', 'fails', 'warns', { post: [['weight: Int! @external', 'weight: Int! @external pages: Int @external'], ['"weight"', '"weight pages"']] }],
  ['field starts to require', 'REQUIRES_CHANGED', 'fails', 'warns', { post: [['sender: String', 'sender: String @requires(fields: "weight")']] }],
  ['field requires less', 'REQUIRES_REDUCED', 'passes', 'passes', { post: [['weight: Int! @external', ''], [' @requires(fields: "weight")', '']] }],
  ['field provides less', 'PROVIDES_REDUCED', 'fails', 'warns', shelf([' @provides(fields: "rating")', ''], [' rating: Int @external', ''])],
  ['field becomes external', 'EXTERNAL_ADDED', 'fails', 'warns', { post: [['sender: String', 'sender: String @external'], ['"weight"', '"weight sender"']], talk: [['@key(fields: "id", resolvable: false) { id: ID! }', '@key(fields: "id") { id: ID! sender: String @shareable }']] }],
  ['@shareable dropped, nobody else has the field', 'SHAREABLE_REMOVED', 'warns', 'passes', shelf(['minutes: Int @shareable', 'minutes: Int'])],
  ['@shareable dropped, others have the field', 'DOES_NOT_COMPOSE', 'fails', 'fails', { post: [['type Price @shareable', 'type Price']] }],
  ['entity moved by @override', 'OVERRIDE_CHANGED', 'passes', 'passes', shelf(['subtitle: String\n', 'subtitle: String\n sender: String @override(from: "post")\n'])],
  ['entity moved at once', 'FIELD_REMOVED', 'fails', 'warns', { ...shelf(['subtitle: String\n', 'subtitle: String\n sender: String\n']), post: [['sender: String', '']] }],
  ['cost raised', 'COST_CHANGED', 'warns', 'passes', shelf(['@listSize(assumedSize: 20)', '@listSize(assumedSize: 500)'])],
  ['@authenticated removed from a field', 'ACCESS_WEAKENED', 'fails', 'fails', shelf(['LendPayload @authenticated', 'LendPayload'])],
  ['@authenticated removed from a type', 'ACCESS_WEAKENED', 'fails', 'fails', shelf(['type Vault @authenticated', 'type Vault'])],
  ['scope removed', 'ACCESS_WEAKENED', 'fails', 'fails', shelf([` @requiresScopes(scopes: ${staff})`, ''])],
  ['fewer scopes asked for', 'ACCESS_WEAKENED', 'fails', 'fails', shelf([staff, '[["staff:read"]]'])],
  ['another scope is enough as well', 'ACCESS_WEAKENED', 'fails', 'fails', shelf([staff, '[["staff:read", "staff:all"], ["guest"]]'])],
  ['more scopes asked for', 'ACCESS_CHANGED', 'warns', 'passes', shelf([staff, '[["staff:read", "staff:all", "staff:deep"]]'])],
  ['policy removed', 'ACCESS_WEAKENED', 'fails', 'fails', shelf([' @policy(policies: [["vip"]])', ''])],
]
