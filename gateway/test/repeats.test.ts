import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kind, parse } from 'graphql'
import { countRepeats } from '../limits/repeats.ts'

function repeatsIn(text: string): number {
  const { definitions } = parse(text)
  const [operation] = definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION)
  const fragments = definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION)
  assert.ok(operation)
  return countRepeats(operation.selectionSet, new Map(fragments.map((node) => [node.name.value, node])))
}

test('a field that is asked for twice in one place is one repeat', () => {
  assert.equal(repeatsIn('{ me { id name } you: me { id } }'), 0)
  assert.equal(repeatsIn('{ me { id id id } }'), 2)
})

test('fields are merged as they are in execution', () => {
  assert.equal(repeatsIn('{ me { orders { id } } me { orders { id number } } }'), 3)
  assert.equal(repeatsIn('{ me { id ... { id } ... on User { id } } }'), 2)
  assert.equal(repeatsIn('{ me { id ...F } } fragment F on User { id name }'), 1)
})

test('a fragment counts where it stands beside another one, and once in each place', () => {
  assert.equal(repeatsIn('{ me { ...F ...F } } fragment F on User { id }'), 0)
  assert.equal(repeatsIn('{ me { ...F ...G } } fragment F on User { id } fragment G on User { name }'), 1)
})

test('fragments that double at each step are looked at once each', () => {
  const fragments = Array.from({ length: 60 }, (_, n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`)
  assert.equal(repeatsIn(`{ ...F0 } ${fragments.join(' ')}`), 60)
})
