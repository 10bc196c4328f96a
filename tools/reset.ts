/** `npm run reset`: removes all data of the development shop, secrets and accounts included. */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { optionsOf } from './infra/options.ts'
import { stopLeftover } from './infra/postgres.ts'
import { claimFolder, dataFolder } from './infra/run-file.ts'

/** All that a shop puts into its data folder. What else is there is somebody's own. */
const ours = ['postgres', 'mail', 'sms', 'push', 'audit.log', 'demo.json', 'secrets.json']

optionsOf('npm run reset', {})
try {
  await reset()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function reset(): Promise<void> {
  const found = ours.filter((name) => existsSync(join(dataFolder, name)))
  if (found.length === 0) {
    console.log(`There is no shop's data in ${dataFolder}.`)
    return
  }
  const claim = claimFolder(dataFolder)
  try {
    await stopLeftover(join(dataFolder, 'postgres'))
    for (const name of found) rmSync(join(dataFolder, name), { recursive: true, force: true })
  } finally {
    claim.release()
  }
  if (readdirSync(dataFolder).length === 0) rmdirSync(dataFolder)
  console.log(`Removed ${found.join(', ')} of ${dataFolder}.`)
}
