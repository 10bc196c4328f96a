import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNews, writeNews } from '../bus/postgres-news.ts'

const record = (topic: string, partition: number, type: string) => ({ topic, partition, headers: { ce_type: type } })

test('a notification says once where there is something new of which type', () => {
  const payload = writeNews([
    record('orders', 3, 'order.paid'),
    record('orders', 3, 'order.paid'),
    record('payments', 0, 'payment.captured'),
  ])
  assert.deepEqual(readNews(payload), [
    { topic: 'orders', partition: 3, type: 'order.paid' },
    { topic: 'payments', partition: 0, type: 'payment.captured' },
  ])
})

test('what is too much for a notification is news of anything, and so is what is not understood', () => {
  const many = Array.from({ length: 400 }, (_, n) => record('orders', n % 12, `type ${n} ü`))
  assert.equal(writeNews(many), '')
  for (const payload of ['', 'orders', '{}', '[["orders"]]']) assert.equal(readNews(payload), undefined)
})

test('a record without a type is news, so that what is no event is found and given up', () => {
  assert.deepEqual(readNews(writeNews([{ topic: 'orders', partition: 1, headers: {} }])), [
    { topic: 'orders', partition: 1, type: '' },
  ])
})
