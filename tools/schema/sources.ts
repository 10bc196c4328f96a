import { execFile, spawn } from 'node:child_process'
import { glob, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'

/** Files of the project at one point of its history. Paths are relative to its root, with slashes. */
export type Tree = {
  /** How people call it. */
  readonly name: string
  /** The files whose path starts so. */
  list(prefix: string): Promise<string[]>
  /** The texts of files, in their order. Undefined for one that is not there. */
  read(paths: readonly string[]): Promise<(string | undefined)[]>
}

const exec = promisify(execFile)
/** Bytes that one answer of git may have. */
const maxBuffer = 256 * 1024 * 1024

/** The files as they are on the disk. */
export function workingTree(root: string): Tree {
  return {
    name: 'the working tree',
    async list(prefix) {
      const found = await Array.fromAsync(glob(`${prefix}/**/*.*`, { cwd: root }))
      return found.map((path) => path.split(sep).join('/')).sort()
    },
    read: (paths) => Promise.all(paths.map((path) => readFile(join(root, path), 'utf8').catch(ifMissing))),
  }
}

/** The files of a commit. Rejects for a reference that git does not know. */
export async function treeAt(root: string, reference: string): Promise<Tree> {
  const commit = await git(root, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${reference}^{commit}`])
  if (!commit) throw new Error(`git knows no commit ${JSON.stringify(reference)}.`)
  return {
    name: reference === commit ? reference.slice(0, 9) : `${reference} (${commit.slice(0, 9)})`,
    async list(prefix) {
      const { stdout } = await exec('git', ['ls-tree', '-r', '-z', '--name-only', commit, '--', prefix], {
        cwd: root,
        maxBuffer,
      })
      return stdout.split('\0').filter(Boolean)
    },
    read: (paths) =>
      readBlobs(
        root,
        paths.map((path) => `${commit}:${path}`),
      ),
  }
}

/**
 * What a change is compared with where nobody says: the commit at which this branch left `main`. On `main` itself that is
 * the last commit. Undefined where there is no history.
 */
export async function baseOf(root: string): Promise<string | undefined> {
  for (const branch of ['origin/main', 'main']) {
    const base = await git(root, ['merge-base', 'HEAD', branch])
    if (base) return base
  }
  return git(root, ['rev-parse', '--verify', '--quiet', 'HEAD'])
}

/** What git prints. Undefined when it fails. */
async function git(root: string, args: string[]): Promise<string | undefined> {
  const { stdout } = await exec('git', args, { cwd: root }).catch(() => ({ stdout: '' }))
  return stdout.trim() || undefined
}

/** Many files by one process: git answers each name with a line that tells its size, and the bytes. */
async function readBlobs(root: string, names: readonly string[]): Promise<(string | undefined)[]> {
  const child = spawn('git', ['cat-file', '--batch'], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(names.map((name) => `${name}\n`).join(''))
  const output = Buffer.concat(await Array.fromAsync<Buffer>(child.stdout))
  let at = 0
  return names.map(() => {
    const end = output.indexOf('\n', at)
    if (end < 0) throw new Error('git cat-file ended early.')
    const [, type, size] = /^\S+ (\S+) (\d+)$/.exec(output.toString('utf8', at, end)) ?? []
    at = end + 1
    if (type === undefined) return undefined
    const text = output.toString('utf8', at, at + Number(size))
    at += Number(size) + 1
    return text
  })
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
