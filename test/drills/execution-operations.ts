import fc from 'fast-check'
import {
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  isUnionType,
} from 'graphql'

/** An operation that is valid for a schema, made of choices. */
export type RandomOperation = { readonly text: string; readonly variables: Record<string, unknown> }

const deepest = 5

/** A list of numbers that stand for choices, the first for the first. */
export const choices = fc.array(fc.nat(10_000), { minLength: 60, maxLength: 200 })

/** Selects at random, with aliases, fragments, conditions and arguments. Every entity is asked for its type and id. */
export function operationOf(schema: GraphQLSchema, numbers: readonly number[]): RandomOperation {
  let at = 0
  const choose = (count: number) => (numbers[at++ % numbers.length] ?? 0) % count
  const fragments: string[] = []
  const mutation = choose(8) === 0 ? schema.getMutationType() : undefined
  const root = mutation ?? schema.getQueryType()
  if (!root) throw new Error('There is no query.')
  const selections = select(root, 0)
  const definitions = '$yes: Boolean! = true, $no: Boolean!, $n: Int = 2, $size: Int'
  return {
    text: `${mutation ? 'mutation' : 'query'} Random(${definitions}) { ${selections} used: __typename @include(if: $yes) @skip(if: $no) ...U }
      fragment U on ${root.name} { __typename ${mutation ? '' : '... @include(if: $no) { __typename } value0 { b(size: $size) } q0E0s(n: $n) { id }'} }
      ${fragments.join('\n')}`,
    variables: {
      no: choose(2) === 0,
      ...(choose(2) && { n: choose(5) }),
      ...(choose(3) === 0 && { yes: choose(2) === 0 }),
      ...(choose(2) && { size: choose(4) }),
    },
  }

  function select(type: GraphQLCompositeType, depth: number): string {
    const parts: string[] =
      isObjectType(type) && (type === schema.getQueryType() || type === schema.getMutationType()) ? [] : ['__typename']
    if (!isUnionType(type) && type.getFields()['id']) parts.push('id')
    const count = 1 + choose(3)
    for (let n = 0; n < count; n++) parts.push(selection(type, depth))
    return parts.filter(Boolean).join(' ') || '__typename'
  }

  function selection(type: GraphQLCompositeType, depth: number): string {
    const kind = choose(10)
    if (kind >= 7 || isUnionType(type)) return fragment(type, depth)
    const all = Object.values(type.getFields())
    const field = all[choose(all.length)]
    if (!field) return ''
    const below = getNamedType(field.type)
    if (isCompositeType(below) && depth >= deepest) return ''
    const given = field.args.length > 0 ? `(${field.args.map((arg) => `${arg.name}: ${choose(4)}`).join(', ')})` : ''
    // An alias that says what it stands for is in conflict with no other.
    const plain = given === '' && choose(4) !== 0
    const alias = plain
      ? ''
      : `${choose(9) === 0 && !given ? 'constructor_' : 'a_'}${field.name}${given.replaceAll(/\W/g, '_')}: `
    return `${alias}${field.name}${given}${condition()} ${isCompositeType(below) ? `{ ${select(below, depth + 1)} }` : ''}`
  }

  function fragment(type: GraphQLCompositeType, depth: number): string {
    const types = isUnionType(type) || isInterfaceType(type) ? [...schema.getPossibleTypes(type), type] : [type]
    const on = types[choose(types.length)]
    if (!on || depth >= deepest) return '__typename'
    const selections = select(on, depth + 1)
    if (choose(2) === 0) return `... on ${on.name}${condition()} { ${selections} }`
    const name = `F${fragments.length}`
    fragments.push(`fragment ${name} on ${on.name} { ${selections} }`)
    return `...${name}${condition()}`
  }

  function condition(): string {
    return ['@include(if: $yes)', '@skip(if: $no)', '@include(if: $no)', '@skip(if: true)'][choose(24)] ?? ''
  }
}
