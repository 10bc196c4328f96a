import assert from 'node:assert/strict'
import { test } from 'node:test'
import { developmentPorts } from '../development-ports.ts'
import { processNames, settingsFor } from '../stack.ts'

const { processes: ports } = developmentPorts({ PORT: undefined, POSTGRES_PORT: undefined })
const named = (prefix: string) => ({
  users: `${prefix}users`,
  products: `${prefix}products`,
  orders: `${prefix}orders`,
  payments: `${prefix}payments`,
  notifications: `${prefix}notifications`,
})
const options = {
  ports,
  secrets: {
    postgres: '',
    databases: {},
    sandbox: 'sandbox',
    keys: Object.fromEntries(processNames.map((name) => [name, { kid: name, d: 'private' }])),
  },
  databases: named('postgres://'),
  events: { EVENTS_DATABASE_URL: 'postgres://events' },
  mailFolder: '/mail',
  smsFolder: '/sms',
  pushFolder: '/push',
  auditLog: '/audit.log',
  onLine() {},
  onCrash() {},
}

test('a variable of the environment does not part the processes of the shop', () => {
  const env = { USERS_URLS: 'http://elsewhere', JWKS_URL: '', SERVICE_JWKS: 'x', GRPC_PORT: '1', PORT: '2' }
  for (const name of processNames) {
    assert.deepEqual(settingsFor(name, { ...options, env }), settingsFor(name, options), name)
  }
})

test('a setting of the environment reaches each process that reads it, and counts as absent when it is empty', () => {
  const env = { LOG_LEVEL: 'warn', BODY_LIMIT: '', RESERVATION_HOLD: '5', HOME: '/root' }
  const added = (name: (typeof processNames)[number]) => {
    const without = settingsFor(name, options)
    return Object.entries(settingsFor(name, { ...options, env })).filter(([variable]) => !(variable in without))
  }
  assert.deepEqual(added('gateway'), [['LOG_LEVEL', 'warn']])
  assert.deepEqual(added('products'), [
    ['LOG_LEVEL', 'warn'],
    ['RESERVATION_HOLD', '5'],
  ])
})

test('each process is reached where HOST lets it listen', () => {
  const reachedAt = (HOST: string) => settingsFor('gateway', { ...options, env: { HOST } }).USERS_URLS
  assert.equal(reachedAt(''), 'http://127.0.0.1:4001/graphql')
  assert.equal(reachedAt('0.0.0.0'), 'http://127.0.0.1:4001/graphql')
  assert.equal(reachedAt('192.0.2.1'), 'http://192.0.2.1:4001/graphql')
  assert.equal(reachedAt('::1'), 'http://[::1]:4001/graphql')
})

test('everybody knows both instances, where there are two, and each has the ports of its own', () => {
  const orders = { http: 5003, grpc: 5052 }
  const both = { ...options, twins: { orders: [orders] } }
  assert.equal(settingsFor('gateway', both).ORDERS_URLS, 'http://127.0.0.1:4003/graphql,http://127.0.0.1:5003/graphql')
  assert.equal(settingsFor('payments', both).ORDERS_GRPC_URLS, '127.0.0.1:50052,127.0.0.1:5052')
  const { PORT, GRPC_PORT } = settingsFor('orders', both, orders)
  assert.deepEqual([PORT, GRPC_PORT], ['5003', '5052'])
})

test('a port that cannot be is refused in a sentence', () => {
  const refusal = (PORT?: string, POSTGRES_PORT?: string) => {
    try {
      developmentPorts({ PORT, POSTGRES_PORT })
    } catch (error) {
      return (error as Error).message
    }
    return 'none'
  }
  for (const text of ['abc', '0', '65536', '4e3', '-1', '1.5']) assert.match(refusal(text), /^PORT is .*leave it out/)
  assert.equal(refusal('4001'), 'PORT is 4001, which is the port of users. Set it to another.')
  assert.equal(refusal('5000', '5000'), 'POSTGRES_PORT is 5000, which is the port of the gateway. Set it to another.')
  assert.equal(refusal('', '6000'), 'none')
})
