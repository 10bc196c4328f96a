/**
 * `npm run audit`: what is known against the production packages. High and critical ones fail. A registry that keeps no
 * advisories is said, and is no failure: it says nothing about the packages.
 */
import { spawnSync } from 'node:child_process'
import { root } from './services.ts'

type Found = { severity: string; range: string }
type Audit = { message?: string; error?: { summary?: string }; vulnerabilities?: Record<string, Found> }

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { cwd: root, encoding: 'utf8' })
const { vulnerabilities, message, error }: Audit = JSON.parse(stdout || '{}')
if (vulnerabilities) {
  const found = Object.entries(vulnerabilities)
  for (const [name, { severity, range }] of found) console.log(`${severity.padEnd(9)} ${name} ${range}`)
  const grave = found.filter(([, { severity }]) => severity === 'high' || severity === 'critical')
  console.log(`${found.length} packages with advisories, ${grave.length} of them high or critical.`)
  process.exitCode = grave.length > 0 ? 1 : 0
} else {
  console.log(`NOT AUDITED: the registry tells no advisories (${message ?? error?.summary ?? 'no answer'}).`)
}
