import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../services.ts'

/** Runs a TypeScript file of this repository to its end. Its output is ours; its failure is an error. */
export function runScript(
  file: string,
  env: NodeJS.ProcessEnv = process.env,
  args: readonly string[] = [],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, file), ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${file} failed.`))))
  })
}
