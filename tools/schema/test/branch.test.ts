import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../../services.ts'

/** The check as it is run, in a repository of its own: a copy of the shop's schemas with a history. */

const exec = promisify(execFile)
const folder = await mkdtemp(join(tmpdir(), 'schema-branch-'))
after(() => rm(folder, { recursive: true }))

for (const part of ['schema', 'tools', 'gateway', 'platform', 'supergraph.yaml', 'package.json']) {
  await cp(join(root, part), join(folder, part), { recursive: true })
}
await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
await writeFile(join(folder, '.gitignore'), 'node_modules\n')
await git('init', '--quiet', '--initial-branch', 'main')
await commit('The shop')
await git('switch', '--quiet', '--create', 'change')

async function git(...args: string[]): Promise<void> {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false']
  await exec('git', [...identity, ...args], { cwd: folder })
}

async function commit(message: string): Promise<void> {
  await git('add', '--all')
  await git('commit', '--quiet', '--message', message)
}

async function edit(file: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(join(folder, file), 'utf8')
  const changed = text.replace(from, to)
  assert.notEqual(changed, text, `${file} has ${from}`)
  await writeFile(join(folder, file), changed)
}

/** Runs the check as `npm run check` does. */
async function check(...args: string[]): Promise<{ code: number; output: string }> {
  const command = ['tools/schema-check.ts', ...args]
  const { stdout, stderr, code } = await exec(process.execPath, command, { cwd: folder }).then(
    (done) => ({ ...done, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => error,
  )
  return { code, output: stdout + stderr }
}

test('a breaking change on a branch fails with what to do, and passes after deprecation and when nobody asks for it any more', async () => {
  const field = / {2}"""\n {2}When what is described here last changed\.\n {2}"""\n {2}updatedAt: DateTime!.*\n\n/
  await edit('schema/products.graphql', field, '')
  const broken = await check()
  assert.equal(broken.code, 1)
  assert.match(
    broken.output,
    /schema\/products\.graphql:\d+: Field 'updatedAt' was removed from object type 'Product'\./,
  )
  assert.match(broken.output, /Used by back-office\/UpdateProduct \(client back-office\)\./)
  assert.match(broken.output, /Keep it, mark it with @deprecated, and remove it in a later change/)
  await git('checkout', '--quiet', '--', '.')

  await edit(
    'schema/products.graphql',
    '  updatedAt: DateTime! @cacheControl(scope: PUBLIC)\n',
    '  updatedAt: DateTime! @cacheControl(scope: PUBLIC) @deprecated(reason: "Use version. Goes after 2027-01-31.")\n',
  )
  await edit('schema/operations/back-office/UpdateProduct.graphql', '      updatedAt\n', '')
  assert.equal((await check()).code, 0)
  await commit('Deprecate when a product changed')
  await git('branch', '--force', 'main')

  await edit('schema/products.graphql', field, '')
  const clean = await check()
  assert.deepEqual([clean.code, /0 failed, 0 to look at, 1 safe/.test(clean.output)], [0, true], clean.output)
  await commit('Remove when a product changed')
})

test('it compares with any commit, and one that git does not know is an error and not a pass', async () => {
  const older = await check('--against', 'main~1', '--format', 'json')
  assert.equal(older.code, 1)
  assert.equal(JSON.parse(older.output).failed, true)
  for (const reference of ['no-such-branch', '--help', '']) {
    const unknown = await check(`--against=${reference}`)
    assert.deepEqual([unknown.code, unknown.output.trim()], [2, `git knows no commit ${JSON.stringify(reference)}.`])
  }
  assert.equal((await check('--format', 'xml')).code, 2)
})
