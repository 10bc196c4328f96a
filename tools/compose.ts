/**
 * Composes the subgraphs that `supergraph.yaml` names and writes `schema/supergraph.graphql`:
 *
 *   npm run compose             writes it
 *   npm run compose -- --check  fails when it is not what would be written
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'
import { parse as parseYaml } from 'yaml'
import { root } from './services.ts'

const output = 'schema/supergraph.graphql'

/** The supergraph schema, or what stands in its way, one message each. */
export async function compose(): Promise<{ sdl: string; faults?: never } | { sdl?: never; faults: string[] }> {
  const { subgraphs } = parseYaml(await readFile(join(root, 'supergraph.yaml'), 'utf8')) as {
    subgraphs: Record<string, { routing_url: string; schema: { file: string } }>
  }
  const services = await Promise.all(
    Object.entries(subgraphs).map(async ([name, { routing_url: url, schema }]) => ({
      name,
      url,
      typeDefs: parse(await readFile(join(root, schema.file), 'utf8')),
    })),
  )
  const { supergraphSdl, errors } = composeServices(services)
  return errors ? { faults: errors.map(({ message }) => message) } : { sdl: `${supergraphSdl.trim()}\n` }
}

if (import.meta.main) {
  const { sdl, faults } = await compose()
  if (faults) stop(`The subgraphs do not compose:\n\n${faults.join('\n\n')}`)
  else if (process.argv.includes('--check')) {
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
