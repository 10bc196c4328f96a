/**
 * `npm run check`: the one gate. Everything that can be known without a server. The schema is compared with where this
 * branch left `main`, or with another commit: `npm run check -- --against <git ref>`.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './services.ts'

const bin = (name: string) => join(root, 'node_modules/.bin', name)
const gates: Record<string, string[]> = {
  types: [bin('tsc')],
  'lint and format': [bin('biome'), 'check', '--error-on-warnings', '.'],
  composition: [process.execPath, 'tools/compose.ts', '--check'],
  'schema lint': [process.execPath, 'tools/schema-lint.ts'],
  'schema check': [process.execPath, 'tools/schema-check.ts', ...process.argv.slice(2)],
  'operations and their plans': [process.execPath, 'tools/plan.ts', '--check'],
  events: [process.execPath, 'tools/events.ts', '--check'],
  // Those whose name has no kind in it: what they need is in the process.
  'unit tests, architecture, schema, docs': [process.execPath, '--test', '**/!(*.*).test.ts'],
}

const failed: string[] = []
for (const [name, [command = '', ...args]] of Object.entries(gates)) {
  const started = performance.now()
  const { code, output } = await run(command, args)
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  if (code === 0) continue
  failed.push(name)
  console.log(output)
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join('; ')}`)
process.exitCode = failed.length > 0 ? 1 : 0

function run(command: string, args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node') }
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
