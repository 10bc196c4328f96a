import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parsePage } from '#platform/paging.ts'
import { input, type Orders, openOrders, someone } from './open-orders.ts'

let orders: Orders
before(async () => {
  orders = await openOrders()
})
after(() => orders.close())

test('times that no order can have are as good as any others', async () => {
  const [service, support] = [orders.service(), someone('orders:read')]
  const { id } = await service.createOrder(someone(), input())
  const page = { limit: 10, after: undefined }
  const found = async (
    filter: Parameters<typeof service.orders>[1],
    given: Parameters<typeof service.orders>[2] = page,
  ) => (await service.orders(support, filter, given)).map((order) => order.id)
  const [first, last] = [new Date('0000-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59Z')]
  assert.deepEqual(await found({ createdFrom: first, createdTo: last }), [id])
  assert.deepEqual(await found({ createdFrom: last }), [])
  assert.deepEqual(await found({ createdTo: first }), [])
  for (const time of ['0', '99999999999999']) {
    const cursor = Buffer.from(`${time} ${id}`).toString('base64url')
    assert.deepEqual(await found({}, parsePage({ after: cursor })), time === '0' ? [] : [id], time)
  }
})
