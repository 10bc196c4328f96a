import {
  buildSubgraph,
  type FederationMetadata,
  type FieldDefinition,
  type InterfaceType,
  type ObjectType,
  type Subgraph,
} from '@apollo/federation-internals'
import { Kind, parse, print, type SelectionSetNode } from 'graphql'
import { compareSchemas, type SchemaChange } from './changes.ts'
import type { SubgraphSource } from './graph.ts'

/** A change of what one subgraph promises the others and the gateway. */
export type ContractChange = SchemaChange & { readonly subgraph: string }

type Entity = ObjectType | InterfaceType

/** What the gateway and the other subgraphs rely on, of one type. */
type TypeContract = {
  /** By their fields in one writing, whether entities are fetched by it. */
  readonly keys: ReadonlyMap<string, boolean>
  readonly fields: ReadonlyMap<string, FieldContract>
}

type FieldContract = {
  readonly external: boolean
  readonly shareable: boolean
  readonly inaccessible: boolean
  readonly requires: string
  readonly provides: string
  readonly override: string
  /** Access directives and cost, as they are written. */
  readonly access: string
  readonly cost: string
}

/**
 * The differences between two versions of one subgraph that others feel, though clients may not: keys, what a field requires
 * and provides, who resolves it, and fields that another subgraph has as well.
 *
 * While a change is rolled out, the subgraph is asked by gateways that know it as it was. What they rely on must stay.
 */
export async function compareSubgraph(before: SubgraphSource, after: SubgraphSource): Promise<ContractChange[]> {
  if (before.sdl === after.sdl) return []
  const [was, is] = [before, after].map(({ name, url, sdl }) => buildSubgraph(name, url, sdl))
  if (!was || !is) return []
  const changes = [...compareContracts(contractsOf(was), contractsOf(is)), ...(await compareShapes(was, is))]
  return changes.map((change) => ({ ...change, subgraph: after.name }))
}

/** What breaks whoever asks this subgraph, whatever the whole graph looks like. */
async function compareShapes(before: Subgraph, after: Subgraph): Promise<SchemaChange[]> {
  const [was, is] = [before, after].map(({ schema }) => schema.toGraphQLJSSchema())
  const changes = was && is ? await compareSchemas(was, is) : []
  const known = contractsOf(before)
  // What a subgraph only names nobody asks it for.
  const isExternal = ([type = '', field = '']: string[]) => known.get(type)?.fields.get(field)?.external
  return changes.filter(
    ({ level, subject }) => level === 'breaking' && !/^@|^_|__/.test(subject) && !isExternal(subject.split('.')),
  )
}

function compareContracts(
  before: ReadonlyMap<string, TypeContract>,
  after: ReadonlyMap<string, TypeContract>,
): SchemaChange[] {
  return [...before].flatMap(([type, was]) => {
    const is = after.get(type)
    if (!is) return []
    return [...compareKeys(type, was.keys, is.keys), ...compareFields(type, was.fields, is.fields)]
  })
}

function compareKeys(type: string, was: TypeContract['keys'], is: TypeContract['keys']): SchemaChange[] {
  const gone = [...was]
    .filter(([key, resolvable]) => resolvable && !is.get(key))
    .map(([key]) =>
      change(
        'breaking',
        is.has(key) ? 'KEY_UNRESOLVABLE' : 'KEY_REMOVED',
        type,
        [key.split(' ').map((field) => sentCoordinate(type, field))],
        {
          message: is.has(key)
            ? `${type} is no longer fetched by its key "${key}".`
            : `${type} lost its key "${key}": it is no longer fetched by it.`,
        },
      ),
    )
  const added = [...is]
    .filter(([key, resolvable]) => resolvable && !was.get(key))
    .map(([key]) => change('safe', 'KEY_ADDED', type, [], { message: `${type} can be fetched by "${key}" now.` }))
  return [...gone, ...added]
}

function compareFields(type: string, was: TypeContract['fields'], is: TypeContract['fields']): SchemaChange[] {
  return [...is].flatMap(([name, after]) => compareField(`${type}.${name}`, was.get(name) ?? newField(after), after))
}

/** A field that was not there: what matters of it is whom it is taken over from. */
function newField(field: FieldContract): FieldContract {
  return { ...field, override: '' }
}

function compareField(field: string, was: FieldContract, is: FieldContract): SchemaChange[] {
  const changes: SchemaChange[] = []
  const note = (level: SchemaChange['level'], kind: string, message: string, felt = [field]) =>
    void changes.push(change(level, kind, field, felt, { message }))
  if (was.external !== is.external) {
    if (is.external) note('breaking', 'EXTERNAL_ADDED', `${field} is external now: it is no longer answered here.`)
    else note('safe', 'EXTERNAL_REMOVED', `${field} is answered here now.`)
  }
  if (was.requires !== is.requires) {
    const less = is.requires === '' || isPart(is.requires, was.requires)
    if (less) note('safe', 'REQUIRES_REDUCED', `${field} requires "${is.requires}" and no longer "${was.requires}".`)
    else
      note(
        'breaking',
        'REQUIRES_CHANGED',
        `${field} requires "${is.requires}" now, before "${was.requires}": gateways that do not know it yet do not send it.`,
      )
  }
  if (was.provides !== is.provides) {
    const more = was.provides === '' || isPart(was.provides, is.provides)
    if (more) note('safe', 'PROVIDES_EXTENDED', `${field} provides "${is.provides}" now.`)
    else
      note(
        'breaking',
        'PROVIDES_REDUCED',
        `${field} provides "${is.provides}" and no longer "${was.provides}": gateways that do not know it yet ask for it here.`,
      )
  }
  if (was.shareable && !is.shareable && !is.external) {
    note('dangerous', 'SHAREABLE_REMOVED', `${field} is no longer shareable: no other subgraph may resolve it.`)
  }
  if (!was.shareable && is.shareable) note('safe', 'SHAREABLE_ADDED', `${field} is shareable now.`)
  if (was.override !== is.override) {
    const [from, to] = [was.override || 'nobody', is.override || 'nobody']
    note('dangerous', 'OVERRIDE_CHANGED', `${field} is taken over from ${to}, before from ${from}.`)
  }
  if (was.inaccessible && !is.inaccessible) {
    note('dangerous', 'INACCESSIBLE_REMOVED', `${field} is no longer hidden from clients.`)
  }
  if (was.access !== is.access) {
    note(
      'dangerous',
      'ACCESS_CHANGED',
      `${field} has ${is.access || 'no access directive'}, before ${was.access || 'none'}.`,
    )
  }
  if (was.cost !== is.cost)
    note('dangerous', 'COST_CHANGED', `${field} has ${is.cost || 'no cost'}, before ${was.cost || 'none'}.`)
  return changes
}

/** A field that gateways send to have an entity of this type. */
export function sentCoordinate(type: string, field: string): string {
  return `${type}@${field}`
}

function change(
  level: SchemaChange['level'],
  kind: string,
  subject: string,
  felt: SchemaChange['felt'],
  { message }: { message: string },
): SchemaChange {
  return { level, kind, subject, message, felt, deprecated: false }
}

/** Whether one set of fields has nothing that the other has not. Both in one writing. */
function isPart(some: string, all: string): boolean {
  const paths = new Set(all.split(' '))
  return some.split(' ').every((path) => paths.has(path))
}

function contractsOf(subgraph: Subgraph): Map<string, TypeContract> {
  const types = [...subgraph.schema.objectTypes(), ...subgraph.schema.interfaceTypes()]
  return new Map(types.map((type) => [type.name, contractOf(type, subgraph.metadata())]))
}

function contractOf(type: Entity, metadata: FederationMetadata): TypeContract {
  return {
    keys: new Map(
      appliedOf(type, 'key', metadata).map((key) => {
        const { fields, resolvable } = key.arguments()
        return [written(fields), resolvable !== false]
      }),
    ),
    fields: new Map(type.fields().map((field) => [field.name, fieldContractOf(field, metadata)])),
  }
}

function fieldContractOf(field: FieldDefinition<Entity>, metadata: FederationMetadata): FieldContract {
  const applied = (name: string) => appliedOf(field, name, metadata)
  const print = (...names: string[]) => names.flatMap(applied).map(String).sort().join(' ')
  return {
    external: metadata.isFieldExternal(field),
    shareable: metadata.isFieldShareable(field),
    inaccessible: applied('inaccessible').length > 0,
    requires: written(applied('requires')[0]?.arguments().fields),
    provides: written(applied('provides')[0]?.arguments().fields),
    override: String(applied('override')[0]?.arguments().from ?? ''),
    access: print('authenticated', 'requiresScopes', 'policy'),
    cost: print('cost', 'listSize'),
  }
}

/** The directives of federation by their own name, whatever the schema calls them. */
function appliedOf(element: Entity | FieldDefinition<Entity>, name: string, metadata: FederationMetadata): Applied[] {
  return element.appliedDirectivesOf(metadata.federationDirectiveNameInSchema(name))
}

type Applied = { arguments(): Record<string, unknown>; toString(): string }

/** A set of fields in one writing: the paths to its leaves, in one order. `id owner { id }` is `id owner.id`. */
export function written(fields: unknown): string {
  if (typeof fields !== 'string' || fields.trim() === '') return ''
  const [node] = parse(`{ ${fields} }`, { noLocation: true }).definitions
  if (node?.kind !== Kind.OPERATION_DEFINITION) return ''
  return leavesOf(node.selectionSet).sort().join(' ')
}

function leavesOf({ selections }: SelectionSetNode): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return []
    const { selectionSet, ...node } = selection
    const step = node.kind === Kind.FIELD ? print(node) : `...${node.typeCondition?.name.value ?? ''}`
    return selectionSet ? leavesOf(selectionSet).map((leaf) => `${step}.${leaf}`) : [step]
  })
}
