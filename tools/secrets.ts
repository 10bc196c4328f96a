/**
 * `npm run secrets [-- <folder>]`: makes the secrets of a production system, each in a file of its own, as `docker-compose.yml` mounts
 * them. One that is there stays, so a file is replaced by removing it first; `docs/operations.md` says in which order.
 *
 * Guarantee: only the owner may enter the folder. The files in it can be read by everyone, since the processes in the
 * containers are nobody on this machine.
 */
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { JWK } from 'jose'
import { optionsOf, refuse } from './infra/options.ts'
import { newKey, password, publicKey } from './infra/secrets.ts'
import { consulConfig, kafkaConfig, redisConfig } from './infra/server-configs.ts'
import { root, serviceNames } from './services.ts'

const usage = 'npm run secrets [-- <folder>]'
const { positionals } = optionsOf(usage, { allowPositionals: true })
if (positionals.length > 1) refuse(usage)
const folder = resolve(positionals[0] ?? join(root, 'deploy/secrets'))
const made: string[] = []

mkdirSync(folder, { recursive: true, mode: 0o700 })
chmodSync(folder, 0o700)

const keys: JWK[] = []
for (const name of ['gateway', ...serviceNames]) {
  keys.push(JSON.parse(await secret(`${name}_private_key`, async () => JSON.stringify(await newKey(name)))))
}
publish(keys.map(publicKey))

for (const name of serviceNames) {
  await secret(`${name}_postgres_password`, password)
  const own = await secret(`${name}_database_password`, password)
  derive(`${name}_database_url`, `postgres://${name}:${own}@${name}-db:5432/${name}`)
}
await secret('signing_keys_secret', () => password(32))
await secret('sandbox_secret', password)
await secret('grafana_password', password)

const redis = await secret('redis_password', password)
derive('redis_config', redisConfig(redis))
derive('redis_url', `redis://:${redis}@redis:6379`)
const shop = await secret('kafka_password', password)
derive('kafka_config', kafkaConfig({ broker: await secret('kafka_broker_password', password), shop }))
derive('consul_config', consulConfig(await secret('consul_token', randomUUID)))

console.log(made.length > 0 ? `Made in ${folder}: ${made.join(', ')}` : `All secrets are in ${folder} already.`)

/** The text of a secret, made where it is not there. */
async function secret(name: string, make: () => string | Promise<string>): Promise<string> {
  const file = join(folder, name)
  if (existsSync(file)) return readFileSync(file, 'utf8').trim()
  const text = await make()
  write(name, text)
  return text
}

/** Writes what follows from a secret, whenever it is not the same. */
function derive(name: string, text: string): void {
  const file = join(folder, name)
  if (!existsSync(file) || readFileSync(file, 'utf8') !== `${text}\n`) write(name, text)
}

/** Adds public keys to those that are known: while a key is replaced, peers take the old one and the new one. */
function publish(current: JWK[]): void {
  const file = join(folder, 'service_jwks')
  const known: JWK[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).keys : []
  const former = known.filter(({ kid }) => !current.some((key) => key.kid === kid))
  derive('service_jwks', JSON.stringify({ keys: [...current, ...former] }))
}

/** Whole or not at all. */
function write(name: string, text: string): void {
  const file = join(folder, name)
  writeFileSync(`${file}.new`, `${text}\n`)
  chmodSync(`${file}.new`, 0o444)
  renameSync(`${file}.new`, file)
  made.push(name)
}
