import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextAttempt } from '../domain.ts'
import { orderPlaced, welcome } from '../templates/english.ts'

test('pauses double up to an hour, and a delivery is given up after a day', () => {
  const createdAt = new Date(0)
  let time = createdAt
  const pauses: number[] = []
  for (let attempt = 1; ; attempt++) {
    const next = nextAttempt({ attempt, createdAt }, time)
    if (!next) break
    pauses.push((next.getTime() - time.getTime()) / 1000)
    time = next
  }
  assert.deepEqual(pauses.slice(0, 5), [1, 2, 4, 8, 16])
  assert.equal(Math.max(...pauses), 3_600)
  assert.ok(time.getTime() <= 86_400_000 && time.getTime() > 82_000_000)
})

test('texts name what they are about, money as people write it', () => {
  assert.deepEqual(welcome({ name: 'Eve' }).title, 'Welcome, Eve')
  const items = [{ name: 'Kettle', quantity: 2, unitPrice: { amount: 1_250, currency: 'EUR' } }]
  const { title, body } = orderPlaced({ number: 'AAAA-BBBB', items, total: { amount: 2_500, currency: 'EUR' } })
  assert.equal(title, 'Order AAAA-BBBB placed')
  assert.match(body, /2 x Kettle, €25\.00/)
  assert.match(orderPlaced({ number: 'N', items: [], total: { amount: 2_500, currency: 'JPY' } }).body, /Total: ¥2,500/)
})
