/** `npm run drill -- <name> [seed]`: runs one drill at full size and prints its figures; without a name lists them. */
import { drills } from '../test/drills/drills.ts'
import { globalSetup, globalTeardown } from '../test/infra/global-setup.ts'

const [name = '', seed, ...more] = process.argv.slice(2)
const drill = Object.hasOwn(drills, name) ? drills[name] : undefined
if (!drill || (seed && !/^\d+$/.test(seed)) || more.length > 0) {
  console.log(`Usage: npm run drill -- <name> [seed, a whole number]\n`)
  for (const [known, { summary }] of Object.entries(drills)) console.log(`  ${known.padEnd(16)} ${summary}`)
  process.exit(name === '' ? 0 : 1)
}

await globalSetup()
let failure: unknown
try {
  await drill.run({ short: false, print: console.log, ...(seed && { seed: Number(seed) }) })
  console.log(`The drill ${name} passed.`)
} catch (error) {
  failure = error
  console.error(error)
}
globalTeardown()
process.exit(failure ? 1 : 0)
