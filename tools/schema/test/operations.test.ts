import assert from 'node:assert/strict'
import { test } from 'node:test'
import { composeSubgraphs } from '../composition.ts'
import { checkOperations } from '../operations.ts'
import { createPlanner } from '../plans.ts'
import { edited, operations, stateOf } from './graph.ts'

const planner = createPlanner(composeSubgraphs(stateOf().subgraphs).sdl ?? '')
const budgets = { 'web/ShowBook': 2, 'web/Search': 5, 'desk/Lend': 1, 'desk/Plain': 1 }

function check(texts: Record<string, string>, allowed: Record<string, number> = budgets, plannedBy = planner) {
  return checkOperations(stateOf({}, texts).operations, plannedBy, allowed)
}

test('each operation is planned, and its fetches are counted', () => {
  const { faults, planned } = check(operations)
  assert.deepEqual(faults, [])
  assert.deepEqual(Object.fromEntries(planned.map(({ id, fetches }) => [id, fetches])), budgets)
  assert.match(planned.find(({ id }) => id === 'desk/Plain')?.tree ?? '', /Fetch\(service: "shelf"\)/)
})

test('a plan that takes more fetches than its budget is a fault', () => {
  const { faults } = check(operations, { ...budgets, 'web/ShowBook': 1 })
  assert.deepEqual(
    faults.map(({ message, file }) => [message, file]),
    [
      [
        'web/ShowBook takes 2 fetches, and its budget is 1. See why: npm run plan -- web/ShowBook',
        'web/ShowBook.graphql',
      ],
    ],
  )
})

test('a plan that grows because the schema changed is one as well', () => {
  const moved = edited({
    shelf: [
      ['title: String!\n', 'title: String! @external\n'],
      ['type Book implements Titled', 'type Book'],
    ],
    talk: [['@key(fields: "id", resolvable: false) { id: ID! }', '@key(fields: "id") { id: ID! title: String! }']],
  })
  const slower = createPlanner(
    composeSubgraphs(
      stateOf({ ...moved, shelf: (moved.shelf ?? '').replace('title: String! @external\n', '') }).subgraphs,
    ).sdl ?? '',
  )
  const { 'desk/Plain': plain = '' } = operations
  const { faults } = check({ 'desk/Plain': plain }, { 'desk/Plain': 1 }, slower)
  assert.deepEqual(
    faults.map(({ message }) => message.split('.')[0]),
    ['desk/Plain takes 2 fetches, and its budget is 1'],
  )
})

test('of what @skip and @include choose between, the dearer plan counts', () => {
  const text = 'query Maybe($id: ID!, $more: Boolean!) { book(id: $id) { title ... @include(if: $more) { sender } } }'
  const { planned } = check({ 'desk/Maybe': text }, { 'desk/Maybe': 2 })
  assert.deepEqual(
    planned.map(({ fetches }) => fetches),
    [2],
  )
})

test('an operation without a budget is a fault, and so is a budget without an operation', () => {
  const { faults } = check({ 'desk/Plain': operations['desk/Plain'] ?? '' }, { 'desk/Gone': 1 })
  assert.deepEqual(
    faults.map(({ message }) => message),
    [
      'desk/Plain takes 1 fetches and has no budget. Add it to schema/operations/budgets.yaml.',
      'There is a budget for desk/Gone, which is not recorded.',
    ],
  )
})

test('an operation that is not valid is told with its file and line', () => {
  for (const [text, message, line] of [
    ['query Plain {\n  nothing\n}', 'Cannot query field "nothing" on type "Query".', 2],
    ['query Plain {\n', 'Syntax Error: Expected Name, found <EOF>.', 2],
    [
      'query Other {\n  media { __typename }\n}',
      'The file must hold one operation, called Plain, and holds Other.',
      undefined,
    ],
    [
      'query Plain { media { __typename } } query B { media { __typename } }',
      'The file must hold one operation, called Plain, and holds Plain, B.',
      undefined,
    ],
    ['fragment Plain on Book { id }', 'Fragment "Plain" is never used.', 1],
  ] as const) {
    const { faults, planned } = check({ 'desk/Plain': text }, { 'desk/Plain': 1 })
    assert.deepEqual(faults[0], { message, file: 'desk/Plain.graphql', ...(line && { line }) })
    assert.deepEqual(planned, [])
  }
})
