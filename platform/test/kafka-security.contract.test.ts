import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { type Kafka, kafkaMissing, startKafka } from '../../tools/infra/kafka.ts'
import type { BusEvent } from '../bus/bus.ts'
import { on } from '../bus/handlers.ts'
import { createBusMeters } from '../bus/meters.ts'
import { busRules, busSettings, openBus } from '../bus/open.ts'
import { readEnv } from '../env.ts'
import { silentLog as log } from '../log.ts'
import { createMetrics } from '../metrics.ts'

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512']

describe('Kafka by TLS', { skip: kafkaMissing() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'commerce-certificates-'))
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  const user = { name: 'alice', password: randomBytes(12).toString('hex') }
  let kafka: Kafka
  before(async () => {
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', certificate, '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ])
    assert.equal(made.status, 0, String(made.stderr))
    const pem = { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
    kafka = await startKafka({ ...pem, user })
  })
  after(() => {
    kafka?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  function signedIn(mechanism: string, password = user.password) {
    return {
      KAFKA_BROKERS: kafka.secured.sasl,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: certificate,
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SASL_USERNAME: user.name,
      KAFKA_SASL_PASSWORD: password,
    }
  }

  for (const mechanism of mechanisms) {
    test(`events go and come by sign-in with ${mechanism}`, () => passOne(signedIn(mechanism)))

    test(`a wrong password is refused with ${mechanism}`, async () => {
      await assert.rejects(reach(signedIn(mechanism, 'wrong')), { name: /SASLAuthentication/ })
    })
  }

  test('events go and come by a certificate of our own', () =>
    passOne({
      KAFKA_BROKERS: kafka.secured.certificate,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: certificate,
      KAFKA_TLS_CERT_FILE: certificate,
      KAFKA_TLS_KEY_FILE: key,
    }))

  test('without a certificate of our own, where brokers ask for one, nothing is reached', async () => {
    const env = { KAFKA_BROKERS: kafka.secured.certificate, KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: certificate }
    await assert.rejects(reach(env))
  })

  test('a broker whose certificate is of nobody known is not spoken to', async () => {
    const { KAFKA_TLS_CA_FILE: _, ...unknown } = signedIn('plain')
    await assert.rejects(reach(unknown), { message: /self-signed certificate/ })
  })
})

test('settings of TLS that make no sense together are refused', () => {
  const faultsOf = (env: Record<string, string>) => {
    try {
      readEnv(busSettings, [busRules], { KAFKA_BROKERS: 'a:1', ...env })
      return []
    } catch (error) {
      return (error as { faults: string[] }).faults.map((fault) => fault.split(':')[0])
    }
  }
  assert.deepEqual(faultsOf({ KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: 'ca.pem' }), [])
  assert.deepEqual(faultsOf({ KAFKA_TLS_CA_FILE: 'ca.pem' }), ['KAFKA_TLS'])
  assert.deepEqual(faultsOf({ KAFKA_TLS: 'true', KAFKA_TLS_CERT_FILE: 'c.pem' }), [
    'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE',
  ])
})

function open(env: Record<string, string>) {
  const config = readEnv(busSettings, [busRules], env)
  return openBus({ config, clientId: 'test', log, meters: createBusMeters(createMetrics({ service: 'test' })) })
}

async function reach(env: Record<string, string>): Promise<void> {
  const bus = await open(env)
  try {
    await bus.check()
  } finally {
    await bus.close()
  }
}

/** Sends an event and waits for it. */
async function passOne(env: Record<string, string>): Promise<void> {
  const bus = await open(env)
  const topic = randomUUID()
  const { promise: arrived, resolve } = Promise.withResolvers<BusEvent>()
  const handler = on({ type: 'x', topic, data: z.unknown() }, async (event) => resolve(event))
  const id = randomUUID()
  bus.subscribe({ group: randomUUID(), handlers: [handler] })
  await bus.publish([{ id, type: 'x', topic, key: 'k', source: 's', time: new Date(), sequence: 1, data: {} }])
  assert.equal((await arrived).id, id)
  await bus.close()
}
