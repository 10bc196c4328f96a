import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  buildSchema,
  executeSync,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  validate,
} from 'graphql'
import { compileCosts } from '../cost.ts'

/** Every list is at most this long, unless its slicing argument says otherwise. */
const defaultListSize = 2
const sdl = `
  schema @link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost", "@listSize"]) { query: Query }
  type Query {
    node: Node
    nodes(first: Int = 2): [Node] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
    users(first: Int = 2): Users
      @listSize(slicingArguments: ["first"], sizedFields: ["edges", "tags"], requireOneSlicingArgument: false)
    any: [Any]
    me: User @cost(weight: 5)
  }
  interface Node { id: ID self: Node friends(first: Int = 2): [Node] }
  type User implements Node {
    id: ID @cost(weight: 3)
    self: Node
    friends(first: Int = 2): [Node] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
    friend(weight: Int @cost(weight: 2)): User
  }
  type Vault implements Node @cost(weight: -4) { id: ID self: Vault friends(first: Int = 2): [Node] gold: [Gold] any: Any }
  union Any = User | Vault
  scalar Gold @cost(weight: 2)
  type Users { edges: [Edge] tags: [String] }
  type Edge @cost(weight: 6) { node: User any: Any }
`
const schema = buildSchema(sdl, { assumeValidSDL: true })
const costOf = compileCosts(parse(sdl), schema, { defaultListSize })

/** Makes up an operation and its data: each choice is taken from a list of numbers that fast-check shrinks. */
function chooser(choices: readonly number[]) {
  let taken = 0
  return {
    upTo: (most: number): number => (choices[taken++ % choices.length] ?? 0) % (most + 1),
    left: () => taken < choices.length,
  }
}
type Chooser = ReturnType<typeof chooser>

function operationFrom(choose: Chooser): string {
  const fragments: string[] = []
  function selections(typeName: string, nested: number): string {
    const type = schema.getType(typeName)
    // Without it the type of what is behind an interface or union can only be guessed.
    const parts = isLeafType(type) ? [] : ['__typename'].slice(isAbstractType(type) ? 0 : choose.upTo(1))
    const fields = type && 'getFields' in type ? Object.values((type as GraphQLObjectType).getFields()) : []
    for (let more = choose.upTo(4); more > 0 && choose.left() && fields.length > 0; more--) {
      const field = fields[choose.upTo(fields.length - 1)]
      if (!field || (nested > 5 && !isLeafType(getNamedType(field.type)))) continue
      // Named by its argument, so that what is asked for twice can be merged.
      const size = field.args.length > 0 ? ['', '', '1', '2', '4', '$n'][choose.upTo(5)] : ''
      const alias = size && `${field.name}${size.replace('$', '_')}: `
      const argument = size && `(${field.args[0]?.name}: ${size})`
      const below = isLeafType(getNamedType(field.type))
        ? ''
        : ` ${selections(getNamedType(field.type).name, nested + 1)}`
      const condition = choose.upTo(6) === 6 ? ' @include(if: $yes)' : ''
      parts.push(`${alias}${field.name}${argument}${condition}${below}`)
    }
    const wider = isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [typeName]
    for (const condition of wider) {
      if (isLeafType(type) || choose.upTo(2) === 0 || !choose.left()) continue
      const inner = selections(condition, nested + 1)
      if (choose.upTo(1) === 0) parts.push(`... on ${condition} ${inner}`)
      else parts.push(`...F${fragments.push(`fragment F${fragments.length} on ${condition} ${inner}`) - 1}`)
    }
    return `{ ${parts.length > 0 ? parts.join(' ') : '__typename'} }`
  }
  return `query ($n: Int, $yes: Boolean!) ${selections('Query', 0)} ${fragments.join(' ')}`
}

/** Answers with lists as long as they may be, or shorter, and with what is null. */
function dataFor(source: string, variables: Record<string, unknown>, choose: Chooser) {
  const sized = Symbol('size')
  function value(type: unknown, size: number, info: GraphQLResolveInfo): unknown {
    if (isNonNullType(type)) return value(type.ofType, size, info)
    if (choose.upTo(9) === 9) return null
    if (isListType(type)) return Array.from({ length: choose.upTo(size) }, () => value(type.ofType, size, info))
    if (isLeafType(type)) return 'x'
    const types = isAbstractType(type) ? schema.getPossibleTypes(type) : [type as GraphQLObjectType]
    return { type: types[choose.upTo(types.length - 1)]?.name, [sized]: size }
  }
  return executeSync({
    schema,
    document: parse(source),
    rootValue: {},
    variableValues: variables,
    typeResolver: (source) => (source as { type: string }).type,
    fieldResolver(source, args: { first?: number }, _context, info) {
      const { name } = info.parentType
      const slices = info.fieldName === 'users' || info.fieldName === 'nodes' || (name === 'User' && 'first' in args)
      const size = slices ? (args.first ?? defaultListSize) : name === 'Users' ? source[sized] : defaultListSize
      return value(info.returnType, size, info)
    },
  })
}

test('no operation costs more than was estimated, when no list is longer than it says', () => {
  const numbers = fc.array(fc.nat({ max: 2_519 }), { minLength: 30, maxLength: 150 })
  let looked = 0
  fc.assert(
    fc.property(numbers, numbers, fc.integer({ min: 1, max: 6 }), fc.boolean(), (shape, answer, n, yes) => {
      const source = operationFrom(chooser(shape))
      const document = parse(source)
      fc.pre(validate(schema, document).length === 0)
      const variables = { n, yes }
      const { data, errors } = dataFor(source, variables, chooser(answer))
      assert.equal(errors, undefined)
      const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
      assert.ok(operation && isObjectType(schema.getQueryType()))
      const cost = costOf(document, operation)
      const [estimated, actual] = [cost.estimate(variables), cost.actual(variables, data ?? null)]
      assert.ok(actual <= estimated, `${actual} > ${estimated}: ${source} ${JSON.stringify(data)}`)
      if (actual > 0) looked += 1
    }),
    { numRuns: 500 },
  )
  assert.ok(looked > 250, `${looked} operations with a cost`)
})
