import assert from 'node:assert/strict'
import type { GraphQLResult, TestStack } from '../infra/stack.ts'

export function codesOf({ errors }: GraphQLResult): string[] {
  return errors.map(({ extensions }) => extensions.code)
}

/** Runs an attempt, which must be refused with a code, and sees to it that it left nothing behind. */
export async function refused(
  stack: TestStack,
  attempt: () => Promise<GraphQLResult>,
  code: string,
  field?: string,
): Promise<GraphQLResult> {
  const trace = () =>
    Promise.all([
      stack.sql('products', 'SELECT id, available FROM products ORDER BY id'),
      stack.sql('products', "SELECT count(*) FROM reservations WHERE status = 'HELD'"),
      stack.sql('orders', 'SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM claims) AS claims'),
      stack.sql('users', 'SELECT count(*) FROM users'),
    ])
  const before = await trace()
  const result = await attempt()
  assert.deepEqual(codesOf(result), [code])
  if (field) assert.equal(result.errors[0]?.extensions.field, field)
  assert.deepEqual(await trace(), before)
  return result
}
