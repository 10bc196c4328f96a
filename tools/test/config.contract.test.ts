import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { type Consul, createConsul } from '#platform/consul.ts'
import { silentLog as log } from '#platform/log.ts'
import { consulAddress } from '../../test/infra/parts.ts'
import { waitFor } from '../../test/infra/wait.ts'
import { root } from '../services.ts'

const prefix = `${randomUUID()}/`

function start(args: string[], env: Record<string, string> = {}) {
  const where = { CONSUL_HTTP_ADDR: consulAddress() ?? '', CONSUL_PREFIX: prefix }
  return spawn(process.execPath, ['tools/config.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...where, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function config(args: string[], env: Record<string, string> = {}) {
  const child = start(args, env)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, output, errors }
}

test('npm run config says what it needs, and which processes there are', async () => {
  assert.match((await config(['get'], { CONSUL_HTTP_ADDR: '' })).errors, /Set CONSUL_HTTP_ADDR/)
  assert.match((await config(['set', 'gateway', 'BALANCING'])).errors, /^Usage/)
  assert.match((await config(['get', 'nobody'])).errors, /There is no process nobody: users/)
  const { code, errors } = await config(['get'], { CONSUL_HTTP_ADDR: '127.0.0.1:1' })
  assert.equal(code, 1)
  assert.match(errors, /Consul does not answer/)
})

describe('npm run config', { skip: !consulAddress() && 'there is no Consul' }, () => {
  let consul: Consul
  before(() => {
    consul = createConsul({ url: `http://${consulAddress()}`, log })
  })
  after(() => consul.close())
  const values = async () => Object.fromEntries(await consul.values.get(`${prefix}config/`))

  test('sets, shows and deletes what a process may change while it runs', async () => {
    assert.equal((await config(['set', 'gateway', 'RATE_LIMIT_ANONYMOUS', '50'])).code, 0)
    assert.equal((await config(['set', 'all', 'LOG_LEVEL', 'debug'])).code, 0)
    assert.deepEqual(await values(), { 'gateway/RATE_LIMIT_ANONYMOUS': '50', 'all/LOG_LEVEL': 'debug' })
    const { output } = await config(['get', 'gateway'])
    assert.match(output, /^ {2}RATE_LIMIT_ANONYMOUS +gateway +50$/m)
    assert.match(output, /^ {2}LOG_LEVEL +all +debug$/m)
    assert.match(output, /^ {2}BALANCING +-$/m)
    const noted = await config(['set', 'gateway', 'LOG_LEVEL', 'warn'])
    assert.equal(noted.code, 0)
    assert.match((await config(['set', 'all', 'LOG_LEVEL', 'info'])).output, /gateway has a value of its own/)
    for (const [scope = '', setting = ''] of Object.keys(await values()).map((key) => key.split('/'))) {
      assert.equal((await config(['delete', scope, setting])).code, 0)
    }
    assert.deepEqual(await values(), {})
    assert.match((await config(['delete', 'all', 'LOG_LEVEL'])).errors, /has no LOG_LEVEL/)
  })

  test('writes nothing that a process would refuse', async () => {
    const refusals = {
      'set gateway RATE_LIMIT_ANONYMOUS many': /must be a whole number from [^(]+ \(gateway\)/,
      'set gateway PORT 1': /cannot change while the process runs/,
      'set payments STRIPE_SECRET_KEY hunter2': /cannot change while the process runs/,
      'set products RATE_LIMIT_ANONYMOUS 5': /is no setting of this process/,
      'set all NONSENSE 5': /is no setting of any process/,
      'set all BREAKER_CALLS 0': /\((users|orders|payments|gateway)\)/,
      'set gateway constructor 5': /is no setting/,
    }
    for (const [command, reason] of Object.entries(refusals)) {
      const { code, errors } = await config(command.split(' '))
      assert.equal(code, 1, command)
      assert.match(errors, reason)
      assert.doesNotMatch(errors, /hunter2/)
    }
    const production = await config(['set', 'gateway', 'LIMITS', 'off'], { NODE_ENV: 'production' })
    assert.match(production.errors, /production does not start without limits/)
    assert.deepEqual(await values(), {})
  })

  test('tells of what others wrote, without the values of what nobody takes', async () => {
    await consul.values.put(`${prefix}config/payments/STRIPE_SECRET_KEY`, 'hunter2')
    const child = start(['watch', 'payments'])
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    try {
      await waitFor('what is there', () => /payments +STRIPE_SECRET_KEY +set, and taken by none/.test(said))
      await consul.values.put(`${prefix}config/all/BALANCING`, 'random')
      await waitFor('what is new', () => /all +BALANCING +random/.test(said))
      await consul.values.delete(`${prefix}config/all/BALANCING`)
      await waitFor('what is gone', () => /all +BALANCING +deleted/.test(said))
    } finally {
      child.kill()
    }
    const { output } = await config(['get'])
    assert.match(output, /payments\n {2}STRIPE_SECRET_KEY +payments +refused: cannot change/)
    assert.doesNotMatch(said + output, /hunter2/)
    await config(['delete', 'payments', 'STRIPE_SECRET_KEY'])
    assert.deepEqual(await values(), {})
  })
})
