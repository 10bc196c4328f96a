/** `npm run reset`: removes all data of the development shop, secrets and accounts included. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { root } from './services.ts'

const folder = resolve(process.env.DATA_DIR || join(root, '.data'))
const run = join(folder, 'run.json')
if (existsSync(run) && isAlive(JSON.parse(readFileSync(run, 'utf8')).supervisor)) {
  console.error('The shop is running. Stop it first.')
  process.exit(1)
}
if (existsSync(folder) && !existsSync(join(folder, 'secrets.json'))) {
  console.error(`${folder} is not a data folder of this shop; nothing was removed.`)
  process.exit(1)
}
rmSync(folder, { recursive: true, force: true })
console.log(`Removed ${folder}.`)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
