import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { parseSync } from 'oxc-parser'
import { root } from '../tools/services.ts'

/**
 * Who may import what: kinds of file, modules of the platform, packages and `node:` modules by their names. `own` is any
 * file of the same service, `package` any package, `pure` the platform's modules without effects. `types` may be imported
 * as types alone.
 */
const rules: Record<string, { may: string[]; types?: string[] }> = {
  main: { may: ['own', 'platform', 'contracts', 'node'], types: ['generated'] },
  config: {
    may: [
      'platform/env',
      'platform/balancer',
      'platform/discovery',
      'platform/audit',
      'platform/breaker',
      'platform/grpc/settings',
      'platform/principal',
      'platform/redis',
      'platform/database/open',
      'platform/database/url',
      'platform/bus/open',
      'zod',
    ],
  },
  resolvers: {
    may: ['domain', 'contracts', 'pure'],
    types: ['service', 'store', 'loaders', 'generated', 'platform/principal'],
  },
  loaders: {
    may: ['domain', 'contracts', 'pure', 'platform/loader'],
    types: ['service', 'store', 'platform/principal'],
  },
  grpc: {
    may: ['domain', 'contracts', 'pure', 'platform/grpc'],
    types: ['service', 'generated', 'platform/principal'],
  },
  events: {
    may: ['domain', 'contracts', 'pure', 'platform/bus/handlers'],
    types: ['service', 'platform/bus/bus', 'platform/principal'],
  },
  service: {
    may: ['service', 'domain', 'contracts', 'pure'],
    types: [
      'store',
      'grpc',
      'adapter',
      'platform/principal',
      'platform/audit',
      'platform/quota',
      'platform/lock',
      'platform/cache',
      'platform/gatherer',
    ],
  },
  store: {
    may: [
      'store',
      'domain',
      'prisma',
      'platform/database/failures',
      'platform/outbox',
      'platform/inbox',
      'platform/loader',
      'platform/errors',
    ],
    types: ['adapter', 'platform/database/open'],
  },
  adapter: {
    may: [
      'adapter',
      'pure',
      'package',
      'node',
      'platform/http-client',
      'platform/context',
      'platform/mask',
      'platform/telemetry',
    ],
    types: ['domain'],
  },
  domain: { may: ['domain', 'pure', 'node:crypto'] },
  gateway: { may: ['gateway', 'platform', 'contracts', 'package', 'node'] },
  platform: { may: ['platform', 'package', 'node'] },
  contracts: { may: ['contracts', 'zod'] },
}

const pure = ['platform/address', 'platform/errors', 'platform/input', 'platform/paging']

/** Packages that a part of the platform wraps, and where alone they are imported. */
const wrapped: Record<string, string> = {
  kafkajs: 'platform/bus/kafka',
  pg: 'platform/',
  '@prisma/adapter-pg': 'platform/database/',
  '@prisma/client': 'generated/',
  '@grpc/grpc-js': 'platform/grpc/',
  '@grpc/proto-loader': 'platform/grpc/',
  dataloader: 'platform/loader.ts',
  pino: 'platform/',
  '@opentelemetry/api': 'platform/telemetry/',
  '@opentelemetry/sdk-trace': 'platform/telemetry/export.ts',
  'prom-client': 'platform/metrics.ts',
  ioredis: 'platform/redis.ts',
  'rate-limiter-flexible': 'platform/quota/',
  stripe: 'subgraphs/payments/providers/stripe.ts',
}

/** The files of a service, each of a kind of its own. What else it needs, an adapter, stands in a folder. */
const kinds = ['main', 'config', 'resolvers', 'loaders', 'grpc', 'events', 'service', 'store', 'domain']

type Import = { from: string; to: string; typeOnly: boolean }

const files = globSync(['gateway/**/*.ts', 'subgraphs/**/*.ts', 'platform/**/*.ts', 'contracts/**/*.ts'], {
  cwd: root,
}).filter((file) => !file.includes('/test/'))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const imports = files.flatMap((file) => importsOf(file, read(file)))

function importsOf(from: string, source: string): Import[] {
  const { module } = parseSync(from, source)
  const statics = module.staticImports.map(({ moduleRequest, entries }) => ({
    to: moduleRequest.value,
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
  }))
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest, isType }) =>
      moduleRequest ? [{ to: moduleRequest.value, typeOnly: isType }] : [],
    ),
  )
  const dynamic = module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
    to: source.slice(start + 1, end - 1),
    typeOnly: false,
  }))
  return [...statics, ...exported, ...dynamic].map(({ to, typeOnly }) => ({ from, to: resolve(from, to), typeOnly }))
}

/** A path within the repository, or the name of a package. */
function resolve(from: string, to: string): string {
  if (to.startsWith('#')) return to.slice(1)
  return to.startsWith('.') ? relative(root, join(root, dirname(from), to)) : to
}

/** What a file of ours is called in the rules. Undefined for one that has no place. */
function kindOf(file: string): string | undefined {
  const [top = '', , part = '', inner] = file.split('/')
  if (top === 'subgraphs') {
    const name = part.replace(/\.ts$/, '')
    return kinds.includes(name) ? name : inner && 'adapter'
  }
  if (top === 'generated') return file.startsWith('generated/prisma/') ? 'prisma' : 'generated'
  return ['gateway', 'platform', 'contracts'].includes(top) ? top : undefined
}

/** All names that a target has in the rules. */
function namesOf(from: string, to: string): string[] {
  if (!to.endsWith('.ts')) return isBuiltin(to) ? [to, 'node'] : [packageOf(to), 'package']
  const kind = kindOf(to)
  if (!kind) return []
  if (kind === 'platform') {
    const path = to.replace(/\.ts$/, '')
    const module = path.split('/').slice(0, 2).join('/')
    return [kind, path, module, ...(pure.includes(path) ? ['pure'] : [])]
  }
  return [kind, ...(serviceOf(to) === serviceOf(from) && kind !== 'prisma' ? ['own'] : [])]
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function serviceOf(file: string): string | undefined {
  const [, service] = /^(?:subgraphs|generated\/(?:prisma|graphql))\/([^/.]+)/.exec(file) ?? []
  return service
}

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const rule = rules[kindOf(from) ?? '']
  const allowed = [...(rule?.may ?? []), ...(typeOnly ? (rule?.types ?? []) : [])]
  const [name = ''] = namesOf(from, to)
  const wrapper = wrapped[name]
  if (wrapper && !from.startsWith(wrapper)) return false
  return namesOf(from, to).some((name) => allowed.includes(name))
}

/** Reads the environment, whatever way it goes about it. */
const readsEnvironment = /\bprocess\s*(\?\.|\.)\s*env\b|\bprocess\s*\[|=\s*process\b(?!\s*[.?])|['"](node:)?process['"]/

test('every file has a place, and every import goes where the table above allows', () => {
  assert.deepEqual(
    files.filter((file) => !kindOf(file)),
    [],
  )
  const faults = imports.filter((edge) => !isAllowed(edge))
  assert.deepEqual(
    faults.map(({ from, to, typeOnly }) => `${from} (${kindOf(from)}) -> ${to}${typeOnly ? ', as types' : ''}`),
    [],
  )
})

test('no service imports another', () => {
  const faults = imports.filter(({ from, to }) => serviceOf(from) && serviceOf(to) && serviceOf(from) !== serviceOf(to))
  assert.deepEqual(faults, [])
})

test('no file imports itself by way of others', () => {
  const next = Map.groupBy(imports, ({ from }) => from)
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (path.includes(file) || done.has(file)) return
    for (const { to } of next.get(file) ?? []) visit(to, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  assert.deepEqual(cycles, [])
})

test('platform/env.ts alone reads the environment', () => {
  const faults = files.filter((file) => file !== 'platform/env.ts' && readsEnvironment.test(read(file)))
  assert.deepEqual(faults, [])
})

test('a path is made from a URL by fileURLToPath, which knows spaces', () => {
  const faults = files.filter((file) => /import\.meta\.url\)\s*\.pathname/.test(read(file)))
  assert.deepEqual(faults, [])
})

test('every service has the same shape', () => {
  for (const service of new Set(files.flatMap((file) => serviceOf(file) ?? []))) {
    const own = new Set(files.filter((file) => serviceOf(file) === service).map(kindOf))
    for (const kind of ['main', 'config', 'domain', 'service', 'store', 'resolvers', 'loaders']) {
      assert.ok(own.has(kind), `${service} has its ${kind}`)
    }
  }
})

describe('the rules refuse', () => {
  const forbidden = {
    'a domain with a database': ['subgraphs/orders/domain.ts', "import pg from 'pg'"],
    'a domain with files': ['subgraphs/orders/domain/order.ts', "import fs from 'node:fs'"],
    'a use case that opens its own store': [
      'subgraphs/orders/service.ts',
      "import { createOrdersStore } from './store.ts'",
    ],
    'a use case with HTTP': ['subgraphs/orders/service.ts', "import { request } from 'undici'"],
    'a resolver with a package': ['subgraphs/users/resolvers.ts', "import { z } from 'zod'"],
    'a service with another one': ['subgraphs/orders/events.ts', "import { x } from '../users/domain.ts'"],
    'Kafka beside its wrapper': ['platform/outbox.ts', "import { Kafka } from 'kafkajs'"],
    'SQL beside the platform': ['subgraphs/notifications/channels/x.ts', "import pg from 'pg'"],
    'settings that start something': ['subgraphs/users/config.ts', "import { run } from '#platform/lifecycle.ts'"],
    'the platform with what is above it': ['platform/http.ts', "import { x } from '../gateway/server.ts'"],
    'production code with tools': ['gateway/main.ts', "import { root } from '../tools/services.ts'"],
    'production code with tests': ['subgraphs/users/main.ts', "import { x } from '../../test/infra/wait.ts'"],
    'a dynamic import': ['subgraphs/orders/domain.ts', "await import('pg')"],
    'an export from elsewhere': ['subgraphs/orders/domain.ts', "export { Pool } from 'pg'"],
  } as const
  for (const [what, [file, source]] of Object.entries(forbidden)) {
    test(what, () => {
      const own = imports.filter(({ from }) => from === file)
      assert.deepEqual(
        own.filter((edge) => !isAllowed(edge)),
        [],
      )
      const [edge] = importsOf(file, source)
      const foreign = edge && serviceOf(edge.to) !== undefined && serviceOf(edge.to) !== serviceOf(file)
      assert.ok(edge && (foreign || !isAllowed(edge)))
    })
  }
  test('a file without a place', () => assert.equal(kindOf('subgraphs/users/helpers.ts'), undefined))
  for (const source of [
    'process.env.X',
    "process['env']",
    'const { env } = process',
    "import { env } from 'node:process'",
  ]) {
    test(`the environment by ${source}`, () => assert.match(source, readsEnvironment))
  }
})
