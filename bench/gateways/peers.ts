/** The gateways of others, in a package of their own. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../tools/services.ts'

export const peersFolder = join(root, 'bench/peers')
const packages = ['@apollo/server', '@apollo/gateway', '@graphql-hive/gateway', '@graphql-hive/router-runtime'] as const

/** Installs them by their lockfile, unless they are there at its versions. Throws when npm does not. */
export function installPeers(): void {
  const wanted = readJson(join(peersFolder, 'package.json')).dependencies
  const isThere = packages.every((name) => versionOf(name) === wanted?.[name])
  if (isThere && existsSync(join(peersFolder, 'node_modules/.package-lock.json'))) return
  console.log('Installing the gateways to compare with by their lockfile (some minutes) ...')
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: peersFolder,
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`npm ci failed in ${peersFolder}.`)
}

/** Their versions, by package. */
export function peerVersions(): Record<string, string | undefined> {
  return Object.fromEntries(packages.map((name) => [name, versionOf(name)]))
}

function versionOf(name: string): string | undefined {
  const file = join(peersFolder, 'node_modules', name, 'package.json')
  return existsSync(file) ? readJson(file).version : undefined
}

function readJson(file: string): { version?: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(file, 'utf8'))
}
