import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { isLive } from '#platform/env.ts'
import { errorCodes } from '#platform/errors.ts'
import { root } from '../tools/services.ts'
import { settingsOf } from '../tools/stack.ts'

/** Documents are proven in both directions. */

const read = (file: string) => readFileSync(join(root, file), 'utf8')
/** Variables of the machine and of Node, which have their own documentation. */
const systemVariables = ['PATH', 'NODE_COMPILE_CACHE']
const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts

test('docs/errors.md explains every error code, and no other', () => {
  const headings = [...read('docs/errors.md').matchAll(/^### (\w+)$/gm)].map(([, code]) => code)
  assert.deepEqual(headings, [...errorCodes])
})

test('docs/settings.md lists the settings of every process, and no other', () => {
  const sections = new Map(
    read('docs/settings.md')
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split('\n')[0] ?? '', variablesOf(section)]),
  )
  const everyProcess = sections.get('Every process') ?? []
  for (const [name, settings] of Object.entries(settingsOf)) {
    const shared = name === 'gateway' ? [] : (sections.get('Every service') ?? [])
    const documented = [...everyProcess, ...shared, ...(sections.get(name) ?? [])]
    assert.deepEqual(documented.sort(), Object.keys(settings).sort(), name)
  }
  const tools = globSync(['tools/**/*.ts', 'test/infra/*.ts', 'bench/*.ts', 'bench/gateways/*.ts'], { cwd: root })
    .map(read)
    .join('\n')
  const used = new Set([...tools.matchAll(/process\.env\.([A-Z0-9_]+)/g)].map(([, name = '']) => name))
  const own = sections.get('npm scripts') ?? []
  assert.deepEqual(
    own.filter((name) => !used.has(name)),
    [],
  )
  const known = new Set([...own, ...systemVariables, ...Object.values(settingsOf).flatMap(Object.keys)])
  assert.deepEqual(
    [...used].filter((name) => !known.has(name)),
    [],
  )
})

test('docs/settings.md marks as live the settings that may change while a process runs, and no other', () => {
  const sections = read('docs/settings.md').split(/^## /m).slice(1)
  for (const [name, settings] of Object.entries(settingsOf)) {
    const its = sections.filter((section) =>
      ['Every process', 'Every service', name].includes(section.split('\n')[0] ?? ''),
    )
    const rows = its.flatMap((section) => [...section.matchAll(/^\| `([A-Z0-9_]+)` \|[^|]*\| (\*live\*: )?/gm)])
    const marked = rows.flatMap(([, variable = '', mark]) => (mark && settings[variable] ? [variable] : []))
    const live = Object.keys(settings).filter((setting) => isLive(settings[setting]))
    assert.ok(live.length > 0, name)
    assert.deepEqual(marked.sort(), live.sort(), name)
  }
})

test('no live setting takes any text, as a secret would', () => {
  for (const settings of Object.values(settingsOf)) {
    const live = Object.entries(settings).filter(([, type]) => isLive(type))
    for (const [name, type] of live) assert.equal(type.safeParse('sk_live_0123456789').success, false, name)
  }
})

test('every variable that the README names exists', () => {
  const known = new Set([...Object.values(settingsOf).flatMap(Object.keys), ...variablesOf(read('docs/settings.md'))])
  const named = [...read('README.md').matchAll(/`?\b([A-Z]+(?:_[A-Z]+)+)\b`?/g)].map(([, variable]) => variable ?? '')
  assert.deepEqual(
    named.filter((variable) => !known.has(variable)),
    [],
  )
})

test('the README lists the scripts that people run, and every script that a document names exists', () => {
  const table = read('README.md').slice(read('README.md').indexOf('## Scripts'))
  const listed = [...table.matchAll(/^\| `npm (?:run )?([\w:-]+)/gm)].map(([, name]) => name)
  assert.deepEqual(
    [...listed].sort(),
    Object.keys(scripts)
      .filter((name) => !name.startsWith('pre'))
      .sort(),
  )
  for (const document of documents) {
    for (const [, name] of read(document).matchAll(/npm run ([\w:-]+)/g))
      assert.ok(scripts[name ?? ''], `${document}: npm run ${name}`)
  }
})

test('a document runs files by the Node of the install or in a container, and names operations and schemas that are there', () => {
  for (const document of documents) {
    for (const [command] of read(document).matchAll(/.*\bnode (?:gateway|subgraphs|tools)\/.*/g))
      assert.match(command, /npx node |docker compose run --rm tools node /, document)
    for (const [, id] of read(document).matchAll(/"documentId": "([^":]+)"/g))
      assert.ok(existsSync(join(root, `schema/operations/${id}.graphql`)), `${document}: ${id}`)
    for (const [, file = ''] of read(document).matchAll(/\bSUPERGRAPH_FILE=(\S+)/g))
      assert.ok(existsSync(join(root, file)), `${document}: ${file}`)
  }
})

test('every link of a document and every file it names in backticks leads somewhere', () => {
  for (const document of documents) {
    const text = read(document)
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (!/^https?:/.test(target))
        assert.ok(existsSync(join(root, dirname(document), target)), `${document}: ${target}`)
    }
    for (const [, file = ''] of text.matchAll(
      /`((?:platform|gateway|tools|test|schema|contracts|docs|deploy)\/[\w./-]+\.\w+)`/g,
    )) {
      assert.ok(existsSync(join(root, file)), `${document}: ${file}`)
    }
  }
})

test('what a document says is proven by a test is the name of one', () => {
  const sources = globSync(['subgraphs/**/*.test.ts', 'test/e2e/*.test.ts'], { cwd: root }).map(read).join('\n')
  const tables = documents.flatMap((document) => read(document).split('\n\n'))
  const named = tables
    .filter((table) => table.includes('| proven by |'))
    .flatMap((table) => table.split('\n').slice(2))
    .map((row) => row.split('|').at(-2)?.trim() ?? '')
  assert.ok(named.length > 0)
  assert.deepEqual(
    named.filter((name) => !sources.includes(`test('${name}'`) && !sources.includes(`test("${name}"`)),
    [],
  )
})

test('decisions are numbered without a gap, and each has its context, decision and consequences', () => {
  const files = globSync('docs/adr/*.md', { cwd: root }).sort()
  for (const [index, file] of files.entries()) {
    const text = read(file)
    assert.match(file, new RegExp(`/${String(index + 1).padStart(4, '0')}-`))
    assert.match(text, new RegExp(`^# ${index + 1}\\. `))
    assert.deepEqual(
      [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading),
      ['Context', 'Decision', 'Consequences'],
      file,
    )
  }
})

test('what runs under every start is written down once: the CI runs the commands of the README', () => {
  const commands = read('.ci/run').match(/^(?:\w+=\S+ )*npm .*$/gm) ?? []
  assert.deepEqual(commands, [
    'npm run audit',
    'npm run --silent sbom >sbom.cdx.json',
    'npm run check',
    'REQUIRE_REAL=1 npm test',
  ])
  for (const command of ['npm run audit', 'npm run sbom', 'npm run check', 'npm test'])
    assert.ok(read('README.md').includes(command))
})

/** The variables in the first column of a document's tables. */
function variablesOf(text: string): string[] {
  return [...text.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, variable]) => variable ?? '')
}
