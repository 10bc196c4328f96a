import fc from 'fast-check'
import {
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  type OperationTypeNode,
} from 'graphql'

/** Draws a value. What was drawn decides what is drawn next, and shrinks. */
type Draw = fc.GeneratorValue

const variables = { $v: 'ID', $w: 'Boolean! = true', $n: 'Int' }
const names = [
  'id',
  'nothing',
  '__typename',
  '__schema',
  '__proto__',
  'constructor',
  '_',
  'Ünïcode',
  '$a',
  '...',
  '@',
  '"',
]
const literals = [
  'null',
  'true',
  '1',
  '-0',
  '1e999',
  '9007199254740993',
  '"x"',
  '"\\u0000"',
  '"""x"""',
  'ENUM',
  '$v',
  '[]',
  '{}',
  '[[[1]]]',
  '{a:{a:1}}',
]
const pieces = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  '!',
  '$',
  '@',
  ':',
  '=',
  '|',
  '&',
  '...',
  '#',
  '"',
  '"""',
  '\\',
  '\ufeff',
  ' ',
  '\n',
  'on',
  'query',
  'mutation',
  'subscription',
  'fragment',
  'type',
  'extend',
  'schema',
  'id',
  'me',
  '1',
  '0x',
  '-',
  '.',
  '\0',
  'é',
]

/** Documents of this graph: mostly valid, now and then with something wrong. */
export function documentsOf(schema: GraphQLSchema): fc.Arbitrary<string> {
  return fc.gen().map((draw) => {
    const fragments: string[] = []
    const operations = Array.from({ length: rarely(draw) ? 2 : 1 }, (_, n) => {
      const kind = draw(fc.nat, { max: 3 }) === 1 ? 'mutation' : 'query'
      const root = schema.getRootType(kind as OperationTypeNode)
      const body = root ? selection(draw, root, 4, fragments) : '{ a }'
      const used = Object.entries(variables).filter(([name]) =>
        [body, ...fragments].some((text) => text.includes(name)),
      )
      const declared = used.map(([name, type]) => `${name}: ${type}`).join(', ')
      return `${kind} ${rarely(draw) ? '' : `Operation${n}`} ${declared && `(${declared})`} ${body}`
    })
    return [...operations, ...fragments].join('\n')
  })
}

/** What is made of the letters of GraphQL, and is none. */
export const nonsense: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...pieces), { maxLength: 80 })
  .chain((all) => fc.constantFrom('', ' ').map((separator) => all.join(separator)))

function selection(draw: Draw, type: GraphQLNamedType, depth: number, fragments: string[]): string {
  const fields = isCompositeType(type) && 'getFields' in type ? Object.values(type.getFields()) : []
  const places = Array.from({ length: 1 + draw(fc.nat, { max: 3 }) }, () => draw(fc.nat, { max: fields.length - 1 }))
  const chosen = [...new Set(places)]
    .map((place) => {
      const field = fields[place]
      if (!field || rarely(draw)) return pick(draw, names)
      const named = getNamedType(field.type)
      const inner = isCompositeType(named)
        ? depth > 0
          ? selection(draw, named, depth - 1, fragments)
          : '{ __typename }'
        : ''
      const alias = rarely(draw) ? `${pick(draw, ['a', 'id', '__typename', field.name])}: ` : ''
      return `${alias}${field.name}${argumentsOf(draw, field.args)}${directive(draw)} ${rarely(draw) ? '' : inner}`
    })
    .join(' ')
  if (draw(fc.nat, { max: 6 }) !== 3) return `{ ${chosen} }`
  if (draw(fc.boolean)) return `{ ... on ${type.name}${directive(draw)} { ${chosen} } }`
  const name = rarely(draw) ? 'F0' : `F${fragments.length}`
  fragments.push(`fragment ${name} on ${type.name} { ${chosen} ${rarely(draw) ? `...${name}` : ''} }`)
  return `{ ...${name} ${chosen} }`
}

function argumentsOf(draw: Draw, args: readonly GraphQLArgument[]): string {
  const given = args.filter(({ type }) => isNonNullType(type) || draw(fc.boolean))
  if (given.length === 0) return ''
  return `(${given.map(({ name, type }) => `${name}: ${literal(draw, type, 3)}`).join(', ')})`
}

function literal(draw: Draw, type: GraphQLInputType, depth: number): string {
  if (rarely(draw) || depth === 0) return pick(draw, literals)
  if (isNonNullType(type)) return literal(draw, type.ofType, depth)
  if (isListType(type)) return `[${literal(draw, type.ofType, depth - 1)}]`
  if (isEnumType(type))
    return pick(
      draw,
      type.getValues().map(({ name }) => name),
    )
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).map(({ name, type }) => `${name}: ${literal(draw, type, depth - 1)}`)
    return `{ ${fields.join(', ')} }`
  }
  if (draw(fc.nat, { max: 8 }) === 4 && type.name === 'ID') return '$v'
  if (type.name === 'Int') return String(draw(fc.integer))
  return type.name === 'Boolean' ? 'true' : JSON.stringify(draw(fc.string, { maxLength: 12 }))
}

function directive(draw: Draw): string {
  return rarely(draw)
    ? ` ${pick(draw, ['@skip(if: $w)', '@include(if: true)', '@nothing', '@skip', '@deprecated'])}`
    : ''
}

function rarely(draw: Draw): boolean {
  // Not the last: edges are drawn more often than they should be.
  return draw(fc.nat, { max: 60 }) === 37
}

function pick(draw: Draw, from: readonly string[]): string {
  return from[draw(fc.nat, { max: from.length - 1 })] ?? ''
}
