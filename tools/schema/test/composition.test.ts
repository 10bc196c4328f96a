import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../services.ts'
import { composeSubgraphs, lineOf } from '../composition.ts'
import { configurationFile, parseConfiguration } from '../graph.ts'

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@override"])\n'

function compose(...sdls: string[]) {
  const subgraphs = sdls.map((sdl, index) => {
    const name = 'ab'.charAt(index)
    return { name, url: `http://${name}`, file: `schema/${name}.graphql`, sdl: link + sdl }
  })
  const { faults = [], hints = [], sdl } = composeSubgraphs(subgraphs)
  return { faults: faults.map(lineOf), hints: hints.map(lineOf), sdl }
}

test('what stands in the way of a composition is told with its file and line', () => {
  const cases: [sdls: string[], fault: RegExp][] = [
    [['type Query {'], /^schema\/a\.graphql:2: \[a\] Syntax Error/],
    [['type Query { a: Nope }'], /^schema\/a\.graphql:2: \[a\] Unknown type Nope/],
    [['type Query { a: Int }\ntype P @key(fields: "no") { id: ID! }'], /^schema\/a\.graphql:3: \[a\] On type "P"/],
    [
      ['type Query { p: P }\ntype P { x: Int }', 'type P { x: Int }'],
      /^schema\/a\.graphql:3: Non-shareable field "P\.x"/,
    ],
    // One that names no place has that of the field which cannot be reached.
    [
      ['type Query { p: P }\ntype P @key(fields: "id") { id: ID! }', 'type P @key(fields: "sku") {\n sku: ID!\n}'],
      /^schema\/b\.graphql:3: The following supergraph API query/,
    ],
  ]
  for (const [sdls, fault] of cases) {
    const { faults, sdl } = compose(...sdls)
    assert.match(faults[0] ?? '', fault)
    assert.equal(sdl, undefined)
  }
})

test('hints are told with their file and line, and stand in the way of nothing', () => {
  const { hints, sdl } = compose(
    'type Query { p: P }\ntype P @key(fields: "id") {\n id: ID!\n x: Int }',
    'type P @key(fields: "id") {\n id: ID!\n x: Int @override(from: "a")\n}',
  )
  assert.match(hints[0] ?? '', /^schema\/[ab]\.graphql:\d+: Field "P\.x" on subgraph "a" is overridden/)
  assert.ok(sdl)
})

test('the configuration is in the format of rover, and of the version that composes', () => {
  const { federation_version, subgraphs } = parseConfiguration(readFileSync(join(root, configurationFile), 'utf8'))
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.equal(federation_version, `=${devDependencies['@apollo/composition']}`)
  assert.ok(Object.keys(subgraphs).length > 0)
})

test('a configuration with faults is refused with all of them', () => {
  const text = `
federation_version: 1
subgraphs:
  ok: { routing_url: "http://ok", schema: { file: ok.graphql } }
  "-x": { routing_url: "http://x", schema: { file: x.graphql } }
  remote: { routing_url: "ftp://x", schema: { subgraph_url: "http://x" } }
`
  assert.throws(
    () => parseConfiguration(text),
    ({ message }: Error) => {
      for (const place of [
        'federation_version',
        'subgraphs.-x',
        'subgraphs.remote.routing_url',
        'subgraphs.remote.schema',
      ]) {
        assert.ok(message.includes(`${configurationFile}: ${place}`), `${place} in ${message}`)
      }
      return true
    },
  )
})
