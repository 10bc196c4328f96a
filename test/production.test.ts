import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from '../tools/services.ts'
import { processNames } from '../tools/stack.ts'

/** What each process says of an empty environment in production: every variable without which it does not start. */
const needed: Record<string, string[]> = {
  gateway: ['JWKS_URL', 'REDIS_URL'],
  users: [
    'SERVICE_PRIVATE_KEY',
    'SERVICE_JWKS',
    'USERS_DATABASE_URL',
    'KAFKA_BROKERS',
    'REDIS_URL',
    'SIGNING_KEYS_SECRET',
  ],
  products: ['SERVICE_PRIVATE_KEY', 'SERVICE_JWKS', 'PRODUCTS_DATABASE_URL', 'KAFKA_BROKERS', 'REDIS_URL'],
  orders: ['SERVICE_PRIVATE_KEY', 'SERVICE_JWKS', 'ORDERS_DATABASE_URL', 'KAFKA_BROKERS'],
  payments: ['SERVICE_PRIVATE_KEY', 'SERVICE_JWKS', 'PAYMENTS_DATABASE_URL', 'KAFKA_BROKERS', 'PAYMENTS_PROVIDER'],
  notifications: ['SERVICE_PRIVATE_KEY', 'SERVICE_JWKS', 'NOTIFICATIONS_DATABASE_URL', 'KAFKA_BROKERS', 'SMTP_URL'],
}

describe('in production a missing secret or URL stops the start with a list of all that is missing', () => {
  for (const name of processNames) {
    test(name, async () => {
      const entry = join(root, name === 'gateway' ? 'gateway/main.ts' : `subgraphs/${name}/main.ts`)
      const child = spawn(process.execPath, [entry], { env: { NODE_ENV: 'production' } })
      let message = ''
      child.stderr.on('data', (chunk) => {
        message += chunk
      })
      const [code] = await once(child, 'close')
      const variables = [...message.matchAll(/^ {2}([A-Z_]+): /gm)].map(([, variable = '']) => variable)
      assert.equal(code, 1)
      assert.deepEqual([...new Set(variables)].sort(), (needed[name] ?? []).sort(), message)
    })
  }
})
