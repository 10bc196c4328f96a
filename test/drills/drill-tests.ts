import { test } from 'node:test'
import type { Drill } from './drill.ts'

/**
 * Every one of these drills, short, as a test. Two files share them, which take equally long, since a file has one worker.
 * `npm run drill -- <name>` runs one at full size.
 */
export function testDrills(drills: Record<string, Drill>): void {
  for (const [name, { summary, run }] of Object.entries(drills)) {
    test(`drill ${name}: ${summary}`, (context) => run({ short: true, print: (line) => context.diagnostic(line) }))
  }
}
