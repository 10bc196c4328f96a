import { type Change, ChangeType, CriticalityLevel, diff } from '@graphql-inspector/core'
import {
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql'

export type Level = 'breaking' | 'dangerous' | 'safe'

/** One difference between two schemas. */
export type SchemaChange = {
  readonly level: Level
  /** What kind of change, such as `FIELD_REMOVED`. */
  readonly kind: string
  /** What changed, by coordinate. */
  readonly subject: string
  readonly message: string
  /** What one must use to notice: any of these coordinates, or all that stand in a list. */
  readonly felt: readonly (string | readonly string[])[]
  /** Whether what is gone was marked as deprecated. */
  readonly deprecated: boolean
}

const levels: Record<CriticalityLevel, Level> = {
  [CriticalityLevel.Breaking]: 'breaking',
  [CriticalityLevel.Dangerous]: 'dangerous',
  [CriticalityLevel.NonBreaking]: 'safe',
}

/** What stands for all operations of a schema. */
export const anything = '*'

/** The differences between two schemas as clients see them, by graphql-inspector. */
export async function compareSchemas(before: GraphQLSchema, after: GraphQLSchema): Promise<SchemaChange[]> {
  const changes = (await diff(before, after)).filter(({ type }) => !String(type).startsWith('DIRECTIVE_USAGE'))
  const added = new Set(changes.filter(({ type }) => isAddition(String(type))).map(({ path }) => path))
  return changes.flatMap((change) => {
    const kind = String(change.type)
    const subject = (change.path ?? '').replace(/\.@.*$/, '')
    // What is new is told once, with all that belongs to it.
    if (added.has(subject) && !isAddition(kind)) return []
    return {
      level: isRequiredNow(change, before, after) ? 'breaking' : levels[change.criticality.level],
      kind,
      subject,
      message: sentence(change.message),
      felt: feltBy(change, after),
      deprecated: isDeprecated(before, subject),
    }
  })
}

function isAddition(kind: string): boolean {
  return kind.endsWith('_ADDED') && !/DESCRIPTION|DEPRECATION/.test(kind)
}

/** A default that is gone makes what it stood for required, which graphql-inspector does not count as breaking. */
function isRequiredNow({ type, path = '' }: Change, before: GraphQLSchema, after: GraphQLSchema): boolean {
  if (type !== ChangeType.FieldArgumentDefaultChanged && type !== ChangeType.InputFieldDefaultValueChanged) return false
  return isRequired(after, path) && !isRequired(before, path)
}

/** The coordinates of which an operation must use one to notice a change. */
function feltBy({ type, path = '' }: Change, after: GraphQLSchema): string[] {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')))
  switch (type) {
    case ChangeType.SchemaQueryTypeChanged:
    case ChangeType.SchemaMutationTypeChanged:
    case ChangeType.SchemaSubscriptionTypeChanged:
      return [anything]
    // Whoever asks for the field without it.
    case ChangeType.FieldArgumentAdded:
    case ChangeType.FieldArgumentDefaultChanged:
      return [parent]
    case ChangeType.FieldArgumentTypeChanged:
      return isRequired(after, path) ? [path, parent] : [path]
    case ChangeType.InputFieldAdded:
    case ChangeType.InputFieldDefaultValueChanged:
      return [parent, `${parent}{}`]
    case ChangeType.InputFieldTypeChanged:
      return isRequired(after, path) ? [path, parent, `${parent}{}`] : [path]
    case ChangeType.EnumValueRemoved:
    case ChangeType.EnumValueAdded:
      return [path, parent]
    default:
      return [path]
  }
}

function isRequired(schema: GraphQLSchema, path: string): boolean {
  const [typeName = '', fieldName = '', argument] = path.split('.')
  const type = schema.getType(typeName)
  if (isInputObjectType(type)) {
    const field = type.getFields()[fieldName]
    return field !== undefined && isRequiredInputField(field)
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return false
  const found = type.getFields()[fieldName]?.args.find(({ name }) => name === argument)
  return found !== undefined && isRequiredArgument(found)
}

function isDeprecated(schema: GraphQLSchema, path: string): boolean {
  const [typeName = '', member = '', argument] = path.split('.')
  const type = schema.getType(typeName)
  if (isEnumType(type)) return type.getValue(member)?.deprecationReason != null
  if (isInputObjectType(type)) return type.getFields()[member]?.deprecationReason != null
  if (!isObjectType(type) && !isInterfaceType(type)) return false
  const field = type.getFields()[member]
  const found = argument === undefined ? field : field?.args.find(({ name }) => name === argument)
  return found?.deprecationReason != null
}

function sentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`
}
