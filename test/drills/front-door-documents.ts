import { type Attempt, ask, askFor, type Door, many } from './front-door-attempts.ts'

const parseFailed = '400 GRAPHQL_PARSE_FAILED'
const invalid = '400 GRAPHQL_VALIDATION_FAILED'
const tooComplex = '400 OPERATION_TOO_COMPLEX'

/** Documents that are too large, too deep, or made to take long. */
export function documents(door: Door): Attempt[] {
  const attempt = (what: string, expected: string, query: string, rest?: object) =>
    askFor(door, what, expected, query, rest)
  return [
    ...sizes(attempt),
    ...fragments(attempt),
    ...slowToCheck(attempt),
    ...introspection(attempt),
    ...long(attempt),
    ...batches(door),
  ]
}

type Make = (what: string, expected: string, query: string, rest?: object) => Attempt

function sizes(attempt: Make): Attempt[] {
  return [
    attempt('10,000 aliases', tooComplex, `{ ${many(10_000, (n) => `a${n}: __typename`)} }`),
    attempt('51 aliases', tooComplex, `{ me { ${many(51, (n) => `a${n}: id`)} } }`),
    attempt('21 root fields', tooComplex, `{ ${many(21, '__typename')} }`),
    attempt('depth 100', tooComplex, `{ categories ${'{ children '.repeat(98)}{ id }${' }'.repeat(99)}`),
    attempt('depth 100 by inline fragments', tooComplex, `${'{ ... '.repeat(100)}{ __typename }${' }'.repeat(100)}`),
    attempt('depth 1000', tooComplex, `{ categories ${'{ children '.repeat(998)}{ id }${' }'.repeat(999)}`),
    attempt('100,000 open braces', parseFailed, '{'.repeat(100_000)),
    attempt('200 KB of {', parseFailed, '{'.repeat(200_000)),
    attempt('200 KB of [', parseFailed, '['.repeat(200_000)),
    attempt('200 KB of (', parseFailed, '('.repeat(200_000)),
    attempt('200 KB of {a', tooComplex, '{a'.repeat(100_000)),
    attempt('a list 100,000 deep', tooComplex, `{ user(id: ${'['.repeat(100_000)}`),
    attempt('a list 1,900 deep', tooComplex, `{ user(id: ${'['.repeat(1_900)}1${']'.repeat(1_900)}) { id } }`),
    attempt('an object 900 deep', tooComplex, `{ user(id: ${'{a:'.repeat(900)}1${'}'.repeat(900)}) { id } }`),
    attempt('a type 1,900 lists deep', invalid, `query ($a: ${'['.repeat(1_900)}ID${']'.repeat(1_900)}) { me { id } }`),
    attempt('100,000 directives', tooComplex, `{ __typename ${'@a'.repeat(100_000)} }`),
    attempt('51 directives', tooComplex, `{ __typename ${'@a '.repeat(51)} }`),
    attempt('a directive repeated', invalid, '{ __typename @skip(if: true) @skip(if: true) }'),
    attempt('directives on fragments', tooComplex, `{ ...F } fragment F on Query ${'@a '.repeat(51)} { __typename }`),
    attempt('one field 3,000 times', tooComplex, `{ me { ${many(3_000, 'id')} } }`),
    attempt('one field 1,500 times', tooComplex, `{ me { ${many(1_500, 'id')} } }`),
    attempt('3,900 list members', invalid, `{ user(id: [${many(3_900, '1')}]) { id } }`),
    attempt('an input object of 1,300 fields', invalid, createOrder(many(1_300, (n) => `a${n}: 1`))),
    attempt('an input object with a field 1,300 times', invalid, createOrder(many(1_300, 'items: 1'))),
    attempt('50,000 comments', '200 data', `{ __typename } ${'#\n'.repeat(50_000)}`),
    attempt('100,000 commas', '200 data', `{ __typename ${','.repeat(100_000)} }`),
    attempt(
      'a document of types',
      invalid,
      many(900, (n) => `scalar A${n}`),
    ),
    attempt('no operation', invalid, 'fragment F on Query { __typename }'),
    attempt('nothing but spaces', parseFailed, ' '.repeat(1_000)),
    attempt('a subscription', invalid, 'subscription { me { id } }'),
  ]
}

function fragments(attempt: Make): Attempt[] {
  const doubling = many(30, (n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`)
  const cycle = many(100, (n) => `fragment F${n} on Query { ...F${(n + 1) % 100} }`)
  return [
    attempt('a fragment in itself', invalid, '{ ...A } fragment A on Query { ...A }'),
    attempt('two in each other', invalid, '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'),
    attempt(
      'a cycle below a field',
      invalid,
      '{ me { ...A } } fragment A on User { orders { edges { node { customer { ...A } } } } }',
    ),
    attempt('a cycle of 100', invalid, `{ ...F0 } ${cycle}`),
    attempt('a cycle that nothing uses', invalid, `{ __typename } ${cycle}`),
    attempt('30 levels of two spreads', tooComplex, `{ ...F0 } ${doubling} fragment F30 on Query { __typename }`),
    attempt(
      '30 levels of two spreads that nothing uses',
      tooComplex,
      `{ __typename } ${doubling} fragment F30 on Query { __typename }`,
    ),
    attempt('30 levels that end in nothing', invalid, `{ ...F0 } ${doubling}`),
    attempt(
      'a fragment twice',
      invalid,
      '{ ...A } fragment A on Query { __typename } fragment A on Query { __typename }',
    ),
  ]
}

/** What is compared pair by pair. */
function slowToCheck(attempt: Make): Attempt[] {
  const overlap = (count: number, fields: string) =>
    `{ me { ${many(count, (n) => `...F${n}`)} } } ${many(count, (n) => `fragment F${n} on User { ${fields} }`)}`
  const plain = many(300, 'orders { __typename }')
  const other = many(270, 'orders(first: 1) { __typename }')
  return [
    attempt('300 fragments that overlap', tooComplex, overlap(300, 'id')),
    attempt('120 fragments that overlap in depth', tooComplex, overlap(120, 'orders { edges { node { id } } }')),
    attempt(
      'a chain of 300 fragments',
      tooComplex,
      `{ me { ...F0 } } ${many(300, (n) => `fragment F${n} on User { id ...F${n + 1} }`)} fragment F300 on User { id }`,
    ),
    attempt('300 selections of one list', tooComplex, `{ me { ${many(300, 'orders { edges { node { id } } }')} } }`),
    attempt('81,000 conflicts', tooComplex, `{ me { ${plain} } me { ${other} } }`),
    attempt('600 inline fragments', tooComplex, `{ me { ${many(600, '... { id }')} } }`),
    attempt('900 variables that nothing uses', invalid, `query (${many(900, (n) => `$a${n}: ID`)}) { __typename }`),
    attempt('900 times one variable', invalid, `query (${many(900, '$a: ID')}) { __typename }`),
    attempt('900 types that are not there', invalid, `query (${many(900, (n) => `$a${n}: Strin${n}`)}) { __typename }`),
    attempt('1,900 fields that are nearly there', invalid, `{ me { ${many(1_900, (n) => `nam${n}`)} } }`),
    attempt('a field of 20,000 letters, nearly there', invalid, `{ ${'productBySku'.repeat(1_700)} }`),
    attempt(
      '1,300 arguments that are nearly there',
      invalid,
      `{ products(${many(1_300, (n) => `firs${n}: 1`)}) { pageInfo { endCursor } } }`,
    ),
    attempt('150 operations that share a fragment of variables', tooComplex, sharedVariables()),
    attempt('600 operations', invalid, many(600, 'query A { a }')),
  ]
}

function introspection(attempt: Make): Attempt[] {
  const type = (name: string, times: number) =>
    `{ __schema { types ${`{ fields { ${name} `.repeat(times)}{ name }${' } }'.repeat(times)} } }`
  const rounds = (times: number) => `${'{ fields { type '.repeat(times)}{ name }${' } }'.repeat(times)}`
  return [
    attempt('introspection in circles', tooComplex, type('type', 5)),
    attempt('introspection in circles by __type', tooComplex, `{ __type(name: "User") ${rounds(3)} }`),
    attempt(
      'introspection in circles by fragments',
      tooComplex,
      '{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } } fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { name } }',
    ),
    attempt(
      'introspection in circles by aliases',
      tooComplex,
      '{ __schema { types { a: fields { type { b: fields { type { c: fields { name } } } } } } } }',
    ),
    attempt(
      'introspection by interfaces and possibleTypes',
      tooComplex,
      '{ __schema { types { interfaces { possibleTypes { interfaces { possibleTypes { name } } } } } } }',
    ),
    attempt('introspection as it is meant', '200 data', '{ __schema { queryType { name } } }'),
  ]
}

/** One thing that is very long. */
function long(attempt: Make): Attempt[] {
  const name = 'x'.repeat(200_000)
  return [
    attempt('a field name of 200 KB', invalid, `{ ${name} }`),
    attempt('an alias of 200 KB', '200 data', `{ ${name.slice(0, 50_000)}: __typename }`),
    attempt('an argument of 200 KB', '200 NOT_FOUND', `{ product(id: "${name}") { id } }`),
    attempt('a block string of 50,000 lines', '200 NOT_FOUND', `{ product(id: """${'\nx'.repeat(50_000)}""") { id } }`),
    attempt('an operation name of 200 KB', '200 data', `query ${name} { __typename }`),
    attempt('an operation that is asked for by 200 KB', '400 OPERATION_RESOLUTION_FAILURE', '{ __typename }', {
      operationName: name,
    }),
    attempt('an enum value of 200 KB', invalid, `{ me { orders(status: ${name}) { pageInfo { endCursor } } } }`),
    attempt('a variable name of 200 KB', invalid, `query ($${name}: ID) { __typename }`),
    attempt('a type name of 200 KB', invalid, `query ($a: ${name}) { __typename }`),
    attempt('a directive name of 200 KB', invalid, `{ __typename @${name} }`),
    attempt('a fragment name of 200 KB', invalid, `{ ...${name} }`),
    attempt(
      'a variable value of 200 KB of the wrong type',
      '400 BAD_USER_INPUT',
      'query ($n: Int) { products(first: $n) { pageInfo { endCursor } } }',
      { variables: { n: name } },
    ),
    attempt('a token that is not GraphQL, 200 KB', parseFailed, `{ "${name}" }`),
    attempt('a number of 200 KB', invalid, `{ products(first: ${'9'.repeat(200_000)}) { pageInfo { endCursor } } }`),
    attempt('a string without end', parseFailed, `{ product(id: "${name}`),
    attempt('escapes without end', parseFailed, `{ product(id: "${'\\'.repeat(60_001)}") { id } }`),
  ]
}

function batches(door: Door): Attempt[] {
  const one = { query: '{ __typename }' }
  const batch = (what: string, expected: string, body: unknown) =>
    ask(door, what, expected, { body: JSON.stringify(body) })
  return [
    batch('a batch of 10', '200 data', Array(10).fill(one)),
    batch('a batch of 11', '400 BAD_REQUEST', Array(11).fill(one)),
    batch('a batch of 1000', '400 BAD_REQUEST', Array(1_000).fill(one)),
    batch('an empty batch', '400 BAD_REQUEST', []),
    batch('a batch of no objects', '400 BAD_REQUEST', [1, 'x', null]),
    batch('a batch in a batch', '400 BAD_REQUEST', [[one]]),
    batch('a batch of what is too complex', tooComplex, Array(10).fill({ query: `{ me { ${many(1_500, 'id')} } }` })),
  ]
}

function createOrder(input: string): string {
  return `mutation { createOrder(input: { ${input} }) { order { id } } }`
}

function sharedVariables(): string {
  const operations = many(150, (n) => `mutation A${n}($a: OrderItemInput!) { ...F }`)
  const items = `items: [${many(900, '$a')}], idempotencyKey: "a"`
  const address = 'shippingAddress: { name: "a", line1: "b", city: "c", postalCode: "d", country: "DE" }'
  return `${operations} fragment F on Mutation { createOrder(input: { ${items}, ${address} }) { order { id } } }`
}
