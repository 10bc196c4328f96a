/**
 * Composes the subgraphs that `supergraph.yaml` names and writes `schema/supergraph.graphql`:
 *
 *   npm run compose             writes it
 *   npm run compose -- --check  fails when it is not what would be written
 *
 * Prints the hints of the composition. What stands in the way of one is told with its file and line.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { optionsOf } from './infra/options.ts'
import { type Composition, composeSubgraphs, lineOf } from './schema/composition.ts'
import { readSubgraphs } from './schema/graph.ts'
import { workingTree } from './schema/sources.ts'
import { root } from './services.ts'

const output = 'schema/supergraph.graphql'

/** Composes what is on the disk. A configuration that cannot be read is a fault as well. */
export async function compose(): Promise<Composition> {
  try {
    return composeSubgraphs(await readSubgraphs(workingTree(root)))
  } catch (error) {
    return { faults: [{ message: (error as Error).message }] }
  }
}

if (import.meta.main) {
  const { values } = optionsOf('npm run compose [-- --check]', { options: { check: { type: 'boolean' } } })
  const { sdl, hints = [], faults } = await compose()
  for (const hint of hints) console.log(`hint: ${lineOf(hint)}`)
  if (faults) stop(`The subgraphs do not compose:\n\n${faults.map(lineOf).join('\n\n')}`)
  else if (values.check) {
    const committed = await readFile(join(root, output), 'utf8').catch(() => '')
    if (committed !== sdl) stop(`${output} is not what the subgraphs compose to. Run: npm run compose`)
  } else {
    await writeFile(join(root, output), sdl)
    console.log(`Wrote ${output}.`)
  }
}

function stop(message: string): void {
  console.error(message)
  process.exitCode = 1
}
