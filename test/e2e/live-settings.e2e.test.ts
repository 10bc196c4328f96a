import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { type Consul, createConsul } from '#platform/consul.ts'
import { settingsKey } from '#platform/live/follow.ts'
import { silentLog as log } from '#platform/log.ts'
import { processNames } from '../../tools/stack.ts'
import { consulAddress } from '../infra/parts.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'

const address = consulAddress() ?? ''

describe('settings that Consul changes in the running shop', { skip: !address && 'there is no Consul' }, () => {
  const prefix = `${randomUUID()}-`
  let stack: TestStack
  let consul: Consul
  before(async () => {
    const env = { CONSUL_HTTP_ADDR: address, CONSUL_PREFIX: prefix }
    stack = await startTestStack({ extra: Object.fromEntries(processNames.map((name) => [name, { env }])) })
    consul = createConsul({ url: `http://${address}`, log })
  })
  after(async () => {
    await consul?.close()
    await stack?.stop()
  })
  const set = (scope: string, setting: string, value: string) =>
    consul.values.put(`${settingsKey(prefix, scope)}${setting}`, value)

  test('every process takes what is for all, and what it does not have is no fault', async () => {
    await set('all', 'LOG_LEVEL', 'debug')
    await set('all', 'PRODUCT_CACHE', '30')
    for (const name of processNames) {
      const applied = name === 'products' ? 2 : 1
      await waitFor(`${applied} in ${name}`, async () => {
        const text = await (await request(`${stack.urlOf(name)}/metrics`)).body.text()
        const [, state, count] = /config_settings\{state="(applied)"[^}]*\} (\d+)/.exec(text) ?? []
        return state && Number(count) === applied
      })
      const text = await (await request(`${stack.urlOf(name)}/metrics`)).body.text()
      assert.match(text, /config_settings\{state="refused"[^}]*\} 0/)
    }
  })

  test('a limit on operations holds for one that was answered before', async () => {
    const query = '{ first: __typename second: __typename }'
    assert.deepEqual((await stack.graphql(query)).errors, [])
    await set('gateway', 'MAX_ALIASES', '1')
    await waitFor(
      'the refusal',
      async () => (await stack.graphql(query)).errors[0]?.extensions.code === 'OPERATION_TOO_COMPLEX',
    )
  })

  test('how often a password may be wrong changes in the service that counts it', async () => {
    const { email } = await stack.signUp()
    const attempt = async () => {
      const { errors } = await stack.graphql(
        'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
        { input: { email, password: 'not this one' } },
      )
      return errors[0]?.extensions.code
    }
    for (let n = 0; n < 12; n++) assert.equal(await attempt(), 'INVALID_CREDENTIALS')
    await set('users', 'WRONG_PASSWORDS', '3')
    await waitFor('the refusal', async () => (await attempt()) === 'RATE_LIMITED')
  })
})
