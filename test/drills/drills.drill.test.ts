import { test } from 'node:test'
import { drills } from './drills.ts'

/** Every drill, short. `npm run drill -- <name>` runs one at full size. */
for (const [name, { summary, run }] of Object.entries(drills)) {
  test(`drill ${name}: ${summary}`, (context) => run({ short: true, print: (line) => context.diagnostic(line) }))
}
