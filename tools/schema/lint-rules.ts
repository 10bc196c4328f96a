import type { GraphQLESLintRule } from '@graphql-eslint/eslint-plugin'
import { type FieldDefinitionNode, type InputValueDefinitionNode, Kind, type TypeNode } from 'graphql'

/** What a rule is told of the whole graph. */
export type LintOptions = {
  /** Entities in this file that are another subgraph's. */
  foreign: readonly string[]
}

const schema = [
  {
    type: 'object',
    properties: { foreign: { type: 'array', items: { type: 'string' } } },
    additionalProperties: false,
  },
] as const

type Rule = GraphQLESLintRule<[LintOptions]>

function rule(create: Rule['create']): Rule {
  return { meta: { type: 'problem', schema }, create }
}

/** What this schema asks for and graphql-eslint has no rule for. docs/schema.md gives the reasons. */
export const ownRules: Record<string, Rule> = {
  /** What another subgraph may have to answer is nullable. */
  'survives-a-dead-subgraph': rule((context) => ({
    FieldDefinition(node) {
      const field = node.rawNode() as FieldDefinitionNode
      const parent = parentOf(node)
      const { foreign = [] } = context.options[0] ?? {}
      const isRoot = ['Query', 'Mutation', 'Subscription'].includes(parent)
      const isAdded = foreign.includes(parent) && !isKey(node, field.name.value)
      const refers = foreign.includes(namedType(field.type))
      if (!isRequired(field.type) || !(isRoot || isAdded || refers)) return
      const why = isRoot
        ? 'is at the root'
        : isAdded
          ? `is added to another subgraph's ${parent}`
          : "is another subgraph's"
      context.report({
        node,
        message: `${parent}.${field.name.value} must be nullable: it ${why}, and a dead service costs only its own fields.`,
      })
    },
  })),

  /** A list holds no null. */
  'list-items-are-not-null': rule((context) => ({
    ListType(node) {
      const { type } = node.rawNode() as { type: TypeNode }
      if (type.kind === Kind.NON_NULL_TYPE) return
      context.report({ node, message: `The items of a list must not be null: [${namedType(type)}!].` })
    },
  })),

  /** What identifies something is an ID, and what is identified always has one. */
  'ids-are-ids': rule((context) => ({
    FieldDefinition(node) {
      const { name, type } = node.rawNode() as FieldDefinitionNode
      const message = idFault(name.value, type)
      if (message) context.report({ node, message })
      else if (name.value === 'id' && !isRequired(type)) context.report({ node, message: 'id must be ID!.' })
    },
    InputValueDefinition(node) {
      const { name, type } = node.rawNode() as InputValueDefinitionNode
      const message = idFault(name.value, type)
      if (message) context.report({ node, message })
    },
  })),

  /** What is paged is a connection. */
  'lists-that-grow-are-connections': rule((context) => ({
    FieldDefinition(node) {
      const { name, type, arguments: args = [] } = node.rawNode() as FieldDefinitionNode
      const given = new Map(args.map((argument) => [argument.name.value, argument]))
      const isConnection = namedType(type).endsWith('Connection')
      if (!isConnection && !given.has('first')) return
      const first = given.get('first')
      if (!isConnection) context.report({ node, message: `${name.value} takes \`first\`, so it must be a connection.` })
      if (first?.defaultValue?.kind !== Kind.INT || first.defaultValue.value !== '20') {
        context.report({ node, message: `${name.value} must take \`first: Int = 20\`.` })
      }
      if (!given.has('after')) context.report({ node, message: `${name.value} must take \`after: String\`.` })
    },
  })),

  /** A mutation takes one input and answers with a payload. */
  'mutations-answer-payloads': rule((context) => ({
    FieldDefinition(node) {
      const { name, type, arguments: args = [] } = node.rawNode() as FieldDefinitionNode
      if (parentOf(node) !== 'Mutation') return
      const names = args.map((argument) => argument.name.value).join(', ')
      if (names !== 'input') context.report({ node, message: `${name.value} must take \`input\` and nothing else.` })
      if (!namedType(type).endsWith('Payload')) {
        context.report({ node, message: `${name.value} must answer with an object called ...Payload.` })
      }
    },
  })),

  /** Whoever deprecates something says until when it stays. */
  'deprecated-until-a-day': rule((context) => ({
    Directive(node) {
      const { name, arguments: args = [] } = node.rawNode()
      if (name.value !== 'deprecated') return
      const [reason] = args.flatMap(({ value }) => (value.kind === Kind.STRING ? [value.value] : []))
      const days = reason?.match(/\b\d{4}-\d{2}-\d{2}\b/g) ?? []
      if (days.some((day) => !Number.isNaN(Date.parse(day)))) return
      context.report({
        node,
        message: 'The reason must say until when it stays, as a date: "Use name. Goes after 2027-01-31."',
      })
    },
  })),
}

type Node = { parent?: unknown; rawNode(): unknown }

function parentOf(node: Node): string {
  const { name } = node.parent as { name: { value: string } }
  return name.value
}

/** Whether a field is a key of its type, by itself. */
function isKey(node: Node, field: string): boolean {
  const { directives = [] } = node.parent as {
    directives?: { name: { value: string }; arguments?: { value: { value?: unknown } }[] }[]
  }
  return directives.some(
    ({ name, arguments: args = [] }) => name.value === 'key' && args.some(({ value }) => value.value === field),
  )
}

function idFault(name: string, type: TypeNode): string | undefined {
  if (!/^ids?$|Ids?$/.test(name) || namedType(type) === 'ID') return undefined
  return `${name} identifies something, so it must be an ID.`
}

function isRequired({ kind }: TypeNode): boolean {
  return kind === Kind.NON_NULL_TYPE
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type)
}
