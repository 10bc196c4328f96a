/**
 * The query plans of the operations that clients send, as the gateway makes them:
 *
 *   npm run plan                 writes them to `schema/plans/`, and lists how many fetches each takes
 *   npm run plan -- <operation>  prints one: a recorded `<client>/<name>`, or a file
 *   npm run plan -- --check      fails when they are not what would be written
 *
 * Fails for an operation that is not valid or takes more fetches than `schema/operations/budgets.yaml` allows.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'graphql'
import { compose } from './compose.ts'
import { optionsOf, refuse } from './infra/options.ts'
import { lineOf } from './schema/composition.ts'
import {
  checkOperations,
  type PlannedOperation,
  planFile,
  plansFolder,
  readBudgets,
  readOperations,
} from './schema/operations.ts'
import { countFetches, createPlanner, printPlan } from './schema/plans.ts'
import { workingTree } from './schema/sources.ts'
import { root } from './services.ts'

const usage = 'npm run plan [-- <operation>|--check]'
const { values, positionals } = optionsOf(usage, { options: { check: { type: 'boolean' } }, allowPositionals: true })
if (positionals.length > (values.check ? 0 : 1)) refuse(usage)
const tree = workingTree(root)

try {
  const { sdl, faults } = await compose()
  if (sdl === undefined) throw new Error(`The subgraphs do not compose:\n\n${faults.map(lineOf).join('\n\n')}`)
  const planner = createPlanner(sdl)
  const [operation] = positionals
  if (operation) {
    const plan = planner.plan(parse(await textOf(operation)))
    process.stdout.write(`${printPlan(plan)}Fetches: ${countFetches(plan)}\n`)
  } else {
    const budgets = await readBudgets(tree)
    const { faults, planned } = checkOperations(await readOperations(tree), planner, budgets)
    if (!values.check) {
      await write(planned)
      list(planned, budgets)
    }
    const stale = await staleFiles(planned)
    const found = [
      ...faults.map(lineOf),
      ...stale.map((file) => `${file} is not as it would be written. Run: npm run plan`),
    ]
    if (found.length > 0) throw new Error(found.join('\n'))
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

/** The text of a recorded operation, or of a file. */
async function textOf(operation: string): Promise<string> {
  const recorded = (await readOperations(tree)).find(({ id }) => id === operation)
  return recorded?.text ?? readFile(resolve(operation), 'utf8')
}

/** The files that are not there as they would be written, and those of operations that are gone. */
async function staleFiles(planned: readonly PlannedOperation[]): Promise<string[]> {
  const files = new Map(planned.map(({ id, tree }) => [planFile(id), tree]))
  const found = await tree.list(plansFolder)
  const texts = await tree.read([...files.keys()])
  const changed = [...files.keys()].filter((file, index) => texts[index] !== files.get(file))
  return [...changed, ...found.filter((file) => !files.has(file))]
}

async function write(planned: readonly PlannedOperation[]): Promise<void> {
  await rm(join(root, plansFolder), { recursive: true, force: true })
  for (const { id, tree } of planned) {
    const file = join(root, planFile(id))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, tree)
  }
}

function list(planned: readonly PlannedOperation[], budgets: Readonly<Record<string, number>>): void {
  const width = Math.max('operation'.length, ...planned.map(({ id }) => id.length))
  const line = (id: string, fetches: string, budget: string) =>
    console.log(`${id.padEnd(width)} ${fetches.padStart(7)} ${budget.padStart(7)}`)
  line('operation', 'fetches', 'budget')
  for (const { id, fetches } of planned) line(id, String(fetches), String(budgets[id] ?? 'none'))
}
