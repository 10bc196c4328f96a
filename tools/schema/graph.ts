import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import type { Tree } from './sources.ts'

/** One subgraph as it stands in the configuration. */
export type SubgraphSource = {
  readonly name: string
  readonly url: string
  /** Where its schema is, and what stands there. */
  readonly file: string
  readonly sdl: string
}

/** The configuration of the graph, in rover's format. */
export const configurationFile = 'supergraph.yaml'

/**
 * The part of rover's format that is used here: schemas are files of this repository, so that a change of one is a change
 * that can be checked. https://www.apollographql.com/docs/rover/commands/supergraphs#yaml-configuration-file
 */
const configuration = z.strictObject({
  federation_version: z.string().regex(/^=2(\.\d+){1,2}$/, 'must be an exact version of Federation 2, such as =2.14.4'),
  subgraphs: z.record(
    z.string().regex(/^[a-zA-Z][\w-]{0,63}$/, 'must be a letter, then letters, digits, _ and -'),
    z.strictObject({
      routing_url: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }),
      schema: z.strictObject({ file: z.string().min(1) }),
    }),
  ),
})

export type Configuration = z.infer<typeof configuration>

/** Reads the configuration. Throws with all that is wrong with it, a line each. */
export function parseConfiguration(text: string): Configuration {
  const { data, error } = configuration.safeParse(parseYaml(text))
  if (data) return data
  const faults = error.issues.map(
    ({ path, message }) => `${configurationFile}: ${path.join('.') || 'the file'}: ${message}`,
  )
  throw new Error(faults.join('\n'))
}

/** The subgraphs of a tree, in the order of their names in the configuration. */
export async function readSubgraphs(tree: Tree): Promise<SubgraphSource[]> {
  const [text] = await tree.read([configurationFile])
  if (text === undefined) throw new Error(`There is no ${configurationFile} in ${tree.name}.`)
  const entries = Object.entries(parseConfiguration(text).subgraphs)
  const files = entries.map(([, { schema }]) => schema.file.replace(/^\.\//, ''))
  const texts = await tree.read(files)
  return entries.map(([name, { routing_url: url }], index) => {
    const [file = '', sdl] = [files[index], texts[index]]
    if (sdl === undefined) throw new Error(`${configurationFile}: subgraphs.${name}.schema.file: there is no ${file}`)
    return { name, url, file, sdl }
  })
}
