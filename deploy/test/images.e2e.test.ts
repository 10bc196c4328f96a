import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { freePorts } from '../../tools/infra/ports.ts'
import { runScript } from '../../tools/infra/scripts.ts'
import { root } from '../../tools/services.ts'
import { processNames } from '../../tools/stack.ts'
import { createBuilder, targets } from './build-image.ts'
import { type Container, createRunner, isRoot } from './containers.ts'
import { type Servers, serversMissing, startServers } from './servers.ts'

/** Images built without an engine, and run as docker-compose.yml runs them. */

const workspace = mkdtempSync(join(tmpdir(), 'commerce-images-'))
chmodSync(workspace, 0o755)
const build = createBuilder(workspace)
after(() => rmSync(workspace, { recursive: true, force: true }))

const packageFile = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages

test('an image holds the production packages of the lockfile, and no development dependency', () => {
  const { folder } = build('runtime')
  const installed = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8')).packages
  for (const [path, { version }] of Object.entries<{ version: string }>(installed)) {
    const { dev = false, devOptional = false, ...known } = locked[path] ?? {}
    assert.equal(version, known.version, path)
    assert.ok(!dev && !devOptional, `${path} is for development`)
  }
  const present = (name: string) => existsSync(join(folder, 'node_modules', name))
  for (const name of Object.keys(packageFile.dependencies)) assert.ok(present(name), name)
  for (const name of Object.keys(packageFile.optionalDependencies)) assert.ok(!present(name), name)
})

test('an image holds its own service alone, and no test, secret or data', (t) => {
  for (const target of targets) {
    const { folder } = build(target)
    const files = globSync('**', { cwd: folder, exclude: ['node_modules'] })
    assert.deepEqual(
      files.filter((file) => /(^|\/)(test|secrets|\.data|\.git|\.env)(\/|$)/.test(file)),
      [],
    )
    if (target !== 'tools' && target !== 'gateway') assert.deepEqual(readdirSync(join(folder, 'subgraphs')), [target])
    const megabytes = Number(execFileSync('du', ['-sm', folder], { encoding: 'utf8' }).split('\t')[0])
    t.diagnostic(`${target}: ${megabytes} MiB besides Node's own image`)
  }
})

test('what an image holds is decided by the lockfile and by the commit: built twice it is the same', () => {
  const other = mkdtempSync(join(tmpdir(), 'commerce-images-'))
  try {
    // Of packages their list, with what npm checked each to be.
    const list = 'find . -path ./node_modules -prune -o -type f -print; find node_modules -name .package-lock.json'
    const [first, again] = [build('tools'), createBuilder(other)('tools')].map(({ folder }) =>
      execFileSync('sh', ['-c', `(${list}) | sort | xargs sha256sum`], { cwd: folder, encoding: 'utf8' }),
    )
    assert.match(first ?? '', /package-lock/)
    assert.match(first ?? '', /generated\/prisma\/orders/)
    assert.equal(again, first)
  } finally {
    rmSync(other, { recursive: true })
  }
})

const missing = serversMissing()
if (missing && process.env.REQUIRE_REAL === '1') throw new Error(`REQUIRE_REAL=1, and ${missing}.`)

describe('the shop runs from its images as docker-compose.yml says', { skip: missing ?? false }, () => {
  const secrets = join(workspace, 'made')
  const containers: Container[] = []
  let servers: Servers
  let runner: Awaited<ReturnType<typeof createRunner>>
  let mounted = ''

  before(async () => {
    await runScript('tools/secrets.ts', { PATH: process.env.PATH }, [secrets])
    servers = await startServers(secrets)
    runner = await createRunner(workspace, build, servers.at)
    mounted = runner.mount(secrets)
  })
  after(async () => {
    for (const { child } of containers) child.kill('SIGKILL')
    await servers?.stop()
  })

  for (const name of processNames) {
    test(`${name} refuses to start without its settings, with a list of them, and is not healthy`, async () => {
      // At the image's own port another shop of this machine may answer.
      const [port] = await freePorts(1)
      const container = runner.run(name, { PORT: String(port) })
      assert.equal(await container.ended, 1)
      assert.match(container.output(), /^Cannot start\. Settings that are missing or wrong:/)
      const settings = Object.keys(runner.environment(name, mounted)).map((variable) => variable.replace(/_FILE$/, ''))
      const listed = [...container.output().matchAll(/^ {2}([A-Z_]+): /gm)].map(([, variable = '']) => variable)
      assert.ok(listed.length > 0)
      for (const variable of listed) assert.ok(settings.includes(variable), `${variable} is not in docker-compose.yml`)
      assert.equal(await container.healthy(), false)
    })
  }

  test('every process becomes healthy', async () => {
    for (const name of processNames) containers.push(runner.run(name, runner.environment(name, mounted)))
    for (const container of containers) {
      const early = container.ended.then((code) =>
        assert.fail(`${container.name} ended (${code}): ${container.output()}`),
      )
      await Promise.race([early, waitFor(`${container.name} is healthy`, () => container.healthy(), 60_000)])
    }
  })

  test('they serve each other through Consul, which tells nothing without its token', async () => {
    const token = readFileSync(join(secrets, 'consul_token'), 'utf8').trim()
    const services = async (headers: Record<string, string>) =>
      Object.keys(
        (await (await fetch(`http://${servers.consul.address}/v1/catalog/services`, { headers })).json()) as object,
      )
    await waitFor(
      'all are known',
      async () => (await services({ 'x-consul-token': token })).length > processNames.length,
    )
    assert.deepEqual(await services({}), [])
  })

  test('an account is made, through the event log and into a mail, and an administrator by the tools', async () => {
    const registered = await ask(`mutation ($input: RegisterInput!) { register(input: $input) { user { id } } }`, {
      name: 'Eve Example',
      email: 'eve@example.com',
      password: 'correct horse battery',
    })
    assert.equal(registered.errors, undefined, JSON.stringify(registered.errors))
    await waitFor('the mail', () => servers.mails.some(({ to }) => to.includes('eve@example.com')), 60_000)

    const env = runner.environment('tools', mounted)
    const password = 'a staple of correct batteries'
    const create = ['node', 'tools/admin.ts', 'create', '--email', 'ada@example.com']
    const admin = runner.run('tools', env, create, password)
    assert.equal(await admin.ended, 0, admin.output())
    const signedIn = await ask('mutation ($input: LoginInput!) { login(input: $input) { user { roles } } }', {
      email: 'ada@example.com',
      password,
    })
    assert.deepEqual(signedIn.data?.login, { user: { roles: ['CUSTOMER', 'ADMIN'] } })

    for (const script of ['migrate', 'topics', 'ledger']) {
      const tool = runner.run('tools', env, ['node', `tools/${script}.ts`])
      assert.equal(await tool.ended, 0, tool.output())
    }
    for (const [script, command] of [
      ['keys', 'list'],
      ['replay', 'list'],
    ] as const) {
      const tool = runner.run('tools', env, ['node', `tools/${script}.ts`, command])
      assert.equal(await tool.ended, 0, tool.output())
    }
  })

  test('no process is root, and none can change what it runs', { skip: isRoot ? false : 'only root can tell' }, () => {
    for (const { name, child } of containers) {
      assert.match(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /^Uid:\t1000\t1000/m)
      assert.equal(build(name).user, 'node')
    }
    const { folder } = build('orders')
    const writable = execFileSync('find', [
      folder,
      '-not',
      '-type',
      'l',
      '(',
      '-not',
      '-uid',
      '0',
      '-o',
      '-perm',
      '/022',
      ')',
    ])
    assert.equal(writable.toString(), '')
  })

  test('every process ends in order on SIGTERM', async (t) => {
    for (const { name, child, ended, output } of containers.toReversed()) {
      const started = performance.now()
      child.kill('SIGTERM')
      assert.equal(await ended, 0, output())
      t.diagnostic(`${name} stopped after ${Math.round(performance.now() - started)} ms`)
      assert.match(output(), /"msg":"stopped"/)
    }
  })

  async function ask(query: string, input: object) {
    const response = await fetch(`${runner.url('gateway')}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { input } }),
    })
    return (await response.json()) as { data?: Record<string, unknown>; errors?: unknown }
  }
})
