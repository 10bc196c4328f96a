import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../address.ts'

test('an IPv4 address is one of its own, also where it is written as IPv6', () => {
  for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201', '::FFFF:C000:0201'])
    assert.equal(networkOf(address), '192.0.2.1')
})

test('IPv6 addresses that share their first 64 bits are one', () => {
  const written = ['2001:db8:0:1::1', '2001:0DB8:0000:0001:ffff:ffff:ffff:ffff', '2001:db8:0:1:0:0:192.0.2.1']
  assert.deepEqual(new Set(written.map(networkOf)), new Set(['2001:db8:0:1::/64']))
  assert.notEqual(networkOf('2001:db8:0:2::1'), networkOf('2001:db8:0:1::1'))
  assert.equal(networkOf('::1'), '0:0:0:0::/64')
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
})

test('what is no address stays as it is', () => {
  for (const text of ['', 'unknown', '1.2.3', ':::']) assert.equal(networkOf(text), text)
})
