import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { parseSync } from 'oxc-parser'
import { root } from '../tools/services.ts'

/** Who may import whom. `types` may be imported as types alone. `own` is any file of the same service. */
const rules: Record<string, { may: string[]; types?: string[] }> = {
  main: { may: ['own', 'platform', 'contracts'], types: ['generated'] },
  config: { may: ['platform'] },
  resolvers: {
    may: ['domain', 'contracts', 'pure'],
    types: ['service', 'store', 'loaders', 'generated', 'platform/principal'],
  },
  loaders: { may: ['domain', 'contracts', 'pure'], types: ['service', 'store', 'generated', 'platform/principal'] },
  grpc: {
    may: ['domain', 'contracts', 'pure', 'platform/grpc', 'platform/bus'],
    types: ['service', 'store', 'generated', 'platform/principal'],
  },
  events: {
    may: ['domain', 'contracts', 'pure', 'platform/grpc', 'platform/bus'],
    types: ['service', 'store', 'generated', 'platform/principal'],
  },
  service: {
    may: ['service', 'domain', 'contracts', 'pure'],
    types: ['store', 'grpc', 'adapter', 'platform/principal'],
  },
  store: {
    may: ['store', 'domain', 'prisma', 'platform/database', 'platform/outbox', 'platform/inbox', 'platform/errors'],
    types: ['adapter'],
  },
  adapter: { may: ['adapter', 'platform'], types: ['domain'] },
  domain: { may: ['domain', 'pure'] },
  gateway: { may: ['gateway', 'platform', 'contracts'] },
  platform: { may: ['platform'] },
  contracts: { may: ['contracts'] },
}

/** Platform modules without effects, open to domains and resolvers. */
const pure = ['platform/errors', 'platform/input', 'platform/paging']

/** Packages that one file alone sees. */
const guarded: Record<string, string> = { kafkajs: 'platform/bus/kafka.ts' }

type Import = { from: string; to: string; typeOnly: boolean }

const files = globSync(['gateway/**/*.ts', 'subgraphs/**/*.ts', 'platform/**/*.ts', 'contracts/**/*.ts'], {
  cwd: root,
}).filter((file) => !file.includes('/test/'))
const imports = files.flatMap(importsOf)

function importsOf(from: string): Import[] {
  const { module } = parseSync(from, readFileSync(join(root, from), 'utf8'))
  const statics = module.staticImports.map(({ moduleRequest, entries }) => ({
    to: moduleRequest.value,
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
  }))
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest, isType }) =>
      moduleRequest ? [{ to: moduleRequest.value, typeOnly: isType }] : [],
    ),
  )
  const source = readFileSync(join(root, from), 'utf8')
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

const kinds = ['main', 'config', 'resolvers', 'loaders', 'grpc', 'events', 'service', 'store', 'domain']

/** What a file of ours is called in the rules. Undefined for a package. */
function kindOf(file: string): string | undefined {
  const [top = '', , part = ''] = file.split('/')
  if (top === 'subgraphs') {
    const name = part.replace(/\.ts$/, '')
    return kinds.includes(name) ? name : 'adapter'
  }
  if (top === 'generated') return file.startsWith('generated/prisma/') ? 'prisma' : 'generated'
  return ['gateway', 'platform', 'contracts'].includes(top) ? top : undefined
}

function serviceOf(file: string): string | undefined {
  const [, service] = /^(?:subgraphs|generated\/(?:prisma|graphql))\/([^/.]+)/.exec(file) ?? []
  return service
}

test('every import goes where the table above allows', () => {
  const faults = imports.flatMap(({ from, to, typeOnly }) => {
    const [kind, target] = [kindOf(from), kindOf(to)]
    const rule = rules[kind ?? '']
    if (!target || !rule) return []
    const names = [target, ...(serviceOf(to) === serviceOf(from) && target !== 'prisma' ? ['own'] : [])]
    if (target === 'platform') {
      const module = to.replace(/\.ts$/, '').split('/').slice(0, 2).join('/')
      names.push(module, ...(pure.includes(module) ? ['pure'] : []))
    }
    const allowed = [...rule.may, ...(typeOnly ? (rule.types ?? []) : [])]
    return names.some((name) => allowed.includes(name))
      ? []
      : [`${from} (${kind}) -> ${to} (${target}${typeOnly ? ', as types' : ''})`]
  })
  assert.deepEqual(faults, [])
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

test('a package that is wrapped is imported by its wrapper alone', () => {
  const faults = imports.filter(({ from, to }) => guarded[to] !== undefined && guarded[to] !== from)
  assert.deepEqual(faults, [])
})

test('platform/env.ts alone reads the environment', () => {
  const faults = files.filter(
    (file) => file !== 'platform/env.ts' && /\bprocess\.env\b/.test(readFileSync(join(root, file), 'utf8')),
  )
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
