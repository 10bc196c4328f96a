import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { buildSchema, getIntrospectionQuery, parse } from 'graphql'
import { cpuTimeOf } from '../../test/infra/cpu-time.ts'
import { compileCosts } from '../cost.ts'
import { checkLimits, type Limits, limitSettings } from '../limits.ts'
import { createOperations, selectOperation } from '../operations.ts'

const defaults = Object.fromEntries(
  Object.entries(limitSettings).map(([name, setting]) => [name, setting.parse(undefined)]),
) as Limits

const tooComplex = { code: 'OPERATION_TOO_COMPLEX' }
const check = (text: string, limits: Partial<Limits> = {}) => checkLimits(parse(text), { ...defaults, ...limits })

/** Allows `fits` and refuses `over` with the setting at `limit`. */
function bounds(setting: keyof Limits, limit: number, fits: string, over: string): void {
  check(fits, { [setting]: limit })
  assert.throws(() => check(over, { [setting]: limit }), { ...tooComplex, message: new RegExp(`limit is ${limit}`) })
}

describe('each limit holds at its very edge', () => {
  test('depth, of which a fragment adds none of its own', () => {
    bounds('MAX_DEPTH', 3, '{ a { b { c } } }', '{ a { b { c { d } } } }')
    bounds(
      'MAX_DEPTH',
      3,
      '{ a { ...F } } fragment F on T { ... { b { c } } }',
      '{ a { ...F } } fragment F on T { b { c { d } } }',
    )
  })
  test('depth of values: arguments, directives, defaults', () => {
    bounds('MAX_DEPTH', 2, '{ a(x: [[1]]) }', '{ a(x: [{ y: [1] }]) }')
    bounds('MAX_DEPTH', 2, '{ a @d(x: [[1]]) }', '{ a @d(x: [[[1]]]) }')
    bounds('MAX_DEPTH', 2, 'query ($v: T = [[1]]) { a }', 'query ($v: T = [[[1]]]) { a }')
  })
  test('fields, as often as fragments repeat them', () => {
    bounds('MAX_FIELDS', 3, '{ a { b c } }', '{ a { b c d } }')
    bounds('MAX_FIELDS', 3, '{ a { ...F } } fragment F on T { b c }', '{ a { ...F ...F } } fragment F on T { b c }')
  })
  test('aliases, that of the same name being none', () => {
    bounds('MAX_ALIASES', 2, '{ x: a y: a a: a }', '{ x: a y: a ...F } fragment F on T { z: a }')
  })
  test('root fields, wherever they stand', () => {
    bounds('MAX_ROOT_FIELDS', 2, '{ a b { c d e } }', '{ a ... { b ...F } } fragment F on T { c }')
  })
  test('directives, wherever they stand', () => {
    bounds('MAX_DIRECTIVES', 1, '{ a @d }', 'query @d { a @d }')
    bounds('MAX_DIRECTIVES', 1, 'query ($v: T @d) { a }', '{ ...F @d } fragment F on T @d { a }')
  })
  test('introspection', () => {
    const nested = '{ __schema { types { fields { type { fields { name } } } } } }'
    bounds('MAX_INTROSPECTION_DEPTH', 2, nested, nested.replace('name', 'type { interfaces { name } }'))
  })
})

test('the standard introspection query is within the limits', () => {
  check(getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true, directiveIsRepeatable: true }))
})

test('fragments that spread themselves are refused, also those that nobody spreads', () => {
  const invalid = { code: 'GRAPHQL_VALIDATION_FAILED' }
  for (const fragments of [
    'fragment A on T { ...A }',
    'fragment A on T { b { ...B } } fragment B on T { ... { ...C } } fragment C on T { ...A }',
  ]) {
    assert.throws(() => check(`{ a } ${fragments}`), invalid)
    assert.throws(() => check(`{ ...A } ${fragments}`), invalid)
  }
})

test('fragments that double at each of 200 levels take no time, with or without a field at the end', () => {
  const levels = Array.from({ length: 200 }, (_, n) => `fragment F${n} on T { ...F${n + 1} ...F${n + 1} }`).join(' ')
  const time = cpuTimeOf(() => {
    assert.throws(() => check(`{ ...F0 } ${levels} fragment F200 on T { a }`), tooComplex)
    check(`{ a ...F0 } ${levels}`)
  })
  assert.ok(time < 100, `${time} ms`)
})

describe('operations', () => {
  const schema = buildSchema(`
    type Query { a: Int secret(x: Int): Query filtered(by: Filter): Int }
    type Mutation { b: Int }
    input Filter { name: String }`)
  const costOf = compileCosts(parse('type Query { a: Int }'), schema, { defaultListSize: 10 })
  const operations = (introspection: boolean, limits = defaults) =>
    createOperations({ schema, limits: () => limits, introspection, mostErrors: () => 2, costOf })
  const errorsOf = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      return (error as { errors: { message: string; extensions: { code: string } }[] }).errors
    }
    throw new Error('nothing was refused')
  }

  test('too many tokens are refused before the rest is read', () => {
    assert.throws(() => operations(true).prepare(`{ ${'a '.repeat(4_000)} ! not GraphQL`), tooComplex)
  })
  test('a document that is nested beyond what the stack holds is refused', () => {
    const limits = { ...defaults, MAX_TOKENS: 100_000, MAX_DEPTH: 200 }
    const deep = '{ secret '.repeat(30_000)
    assert.throws(() => operations(true, limits).prepare(deep), tooComplex)
  })
  test('errors are reported up to a number, with their place', () => {
    const errors = errorsOf(() => operations(true).prepare('{ x y z }'))
    assert.equal(errors.length, 3)
    assert.deepEqual(errors[2]?.message, 'Too many validation errors, error limit reached. Validation aborted.')
    assert.deepEqual(errors[0], {
      message: 'Cannot query field "x" on type "Query". Did you mean "a"?',
      locations: [{ line: 1, column: 3 }],
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    })
  })
  test('without introspection nothing tells the schema: no introspection, no suggestions', () => {
    const open = errorsOf(() => operations(true).prepare('{ secre secret(y: 1) { a } }'))
    assert.match(open.map(({ message }) => message).join(), /Did you mean "secret"\?.*Did you mean "x"\?/)
    const closed = errorsOf(() => operations(false).prepare('{ secre secret(y: 1) { a } }'))
    assert.doesNotMatch(closed.map(({ message }) => message).join(), /Did you mean|"secret"\?|"x"/)
    for (const text of [
      '{ __schema { types { name } } }',
      '{ x: __type(name: "Query") { name } }',
      '{ ... { ...F } } fragment F on Query { __schema { types { name } } }',
    ]) {
      assert.ok(errorsOf(() => operations(false).prepare(text)).length > 0)
      assert.ok(operations(true).prepare(text))
    }
  })
  test('nor do errors of variables', () => {
    const text = 'query ($filter: Filter) { filtered(by: $filter) }'
    const [wrong, limit] = [{ filter: { nmae: 'x' } }, 10]
    const toldBy = (introspection: boolean) => {
      const operation = selectOperation(operations(introspection).prepare(text), undefined)
      return operation
        .coerce(wrong, limit)
        .errors?.map(({ message }) => message)
        .join()
    }
    assert.match(toldBy(true) ?? '', /Did you mean "name"\?/)
    assert.doesNotMatch(toldBy(false) ?? '', /Did you mean|"name"/)
  })
  test('the operation is the one that is named, or the only one', () => {
    const several = operations(true).prepare('query A { a } mutation B { x: b ...F } fragment F on Mutation { b }')
    const selected = selectOperation(several, 'B')
    assert.deepEqual([...selected.rootFields], [['Mutation.b', 2]])
    for (const name of [undefined, 'C', 'F', '__proto__']) {
      assert.throws(() => selectOperation(several, name), { code: 'OPERATION_RESOLUTION_FAILURE' })
    }
    assert.equal(selectOperation(operations(true).prepare('query A { a }'), undefined).name, 'A')
  })
  test('what nobody here could answer is refused: subscriptions, and the variable of entity fetches', () => {
    for (const text of ['subscription { a }', 'query ($representations: Int) { secret(x: $representations) { a } }']) {
      assert.equal(errorsOf(() => operations(true).prepare(text))[0]?.extensions.code, 'GRAPHQL_VALIDATION_FAILED')
    }
  })
  test('limits that change hold for what was prepared before, too', () => {
    let limits: Limits | undefined = defaults
    const options = { schema, limits: () => limits, introspection: true, mostErrors: () => 2, costOf }
    const { prepare, known } = createOperations(options)
    prepare('{ a b: a }')
    limits = { ...defaults }
    assert.ok(known('{ a b: a }'), 'nothing changed')
    limits = { ...defaults, MAX_ALIASES: 0 }
    assert.equal(known('{ a b: a }'), undefined)
    assert.throws(() => prepare('{ a b: a }'), tooComplex)
    limits = undefined
    assert.ok(prepare('{ a b: a }'))
    limits = { ...defaults, MAX_ALIASES: 0 }
    assert.equal(known('{ a b: a }'), undefined)
  })
  test('a document is prepared once', () => {
    const { prepare, known } = operations(true)
    assert.equal(known('{ a }'), undefined)
    assert.equal(known('{ a }') ?? prepare('{ a }'), known('{ a }'))
  })
})
