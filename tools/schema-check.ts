/**
 * Says what a change of the schema does to clients and to gateways that do not know it yet:
 *
 *   npm run schema:check                                  against where this branch left main
 *   npm run schema:check -- --against <git ref>           against any commit
 *   npm run schema:check -- --format text|json|github     for people, programs, or as annotations of GitHub
 *
 * Fails for a change that breaks a recorded operation, or lets somebody see what was hidden. docs/schema.md says what to do.
 */
import { optionsOf } from './infra/options.ts'
import { checkSchema, readState } from './schema/check.ts'
import { failed, formats } from './schema/report.ts'
import { baseOf, treeAt, workingTree } from './schema/sources.ts'
import { root } from './services.ts'

const { values } = optionsOf('npm run schema:check [-- [--against <git ref>] [--format text|json|github]]', {
  options: { against: { type: 'string' }, format: { type: 'string', default: 'text' } },
})

try {
  const format = Object.hasOwn(formats, values.format) && formats[values.format]
  if (!format) throw new Error(`--format must be one of ${Object.keys(formats).join(', ')}.`)
  const reference = values.against ?? (await baseOf(root))
  if (reference === undefined) console.log('There is no history here: the schema was compared with nothing.')
  else {
    const report = await checkSchema(await readState(await treeAt(root, reference)), await readState(workingTree(root)))
    process.stdout.write(format(report))
    process.exitCode = failed(report) ? 1 : 0
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 2
}
