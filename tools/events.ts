/**
 * Writes what is known of the events: their AsyncAPI document, and in `schema/events/` the shape of each, with which the
 * next change is compared (docs/adr/0014):
 *
 *   npm run events             writes both, unless an event changed in a way that breaks somebody
 *   npm run events -- --check  fails then, and when they are not what would be written
 *
 * What is recorded is only ever added to. To let something go for good, take it out of its file by hand.
 */
import { globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EventDefinition, events } from '#contracts/events.ts'
import { asyncApiDocument } from './events/asyncapi.ts'
import { compareEvents } from './events/compatibility.ts'
import { consumedTypes } from './events/consumers.ts'
import { type EventShape, shapeOf } from './events/schemas.ts'
import { optionsOf } from './infra/options.ts'
import { root } from './services.ts'

const { values } = optionsOf('npm run events [-- --check]', { options: { check: { type: 'boolean' } } })
const folder = 'schema/events'
const definitions: readonly EventDefinition[] = events
const current = definitions.map(shapeOf)
const { breaks, additions } = compareEvents(await recordedEvents(), current)
const files: Record<string, string> = {
  'schema/events.asyncapi.yaml': asyncApiDocument(definitions, consumedTypes()),
  ...Object.fromEntries(
    current.map((shape) => [`${folder}/${shape.type}.json`, `${JSON.stringify(shape, null, 2)}\n`]),
  ),
}
const stale = await staleFiles()

if (breaks.length > 0) {
  stop(`Events may not change like this, since others rely on them (docs/adr/0014):\n\n${breaks.join('\n')}`)
} else if (values.check) {
  if (stale.length > 0)
    stop([...additions, `Not as it would be written: ${stale.join(', ')}. Run: npm run events`].join('\n'))
} else {
  await mkdir(join(root, folder), { recursive: true })
  for (const file of stale) await writeFile(join(root, file), files[file] ?? '')
  for (const addition of additions) console.log(addition)
  console.log(stale.length > 0 ? `Wrote ${stale.join(', ')}.` : 'Nothing to write.')
}

async function recordedEvents(): Promise<EventShape[]> {
  const recorded = globSync(`${folder}/*.json`, { cwd: root }).sort()
  return Promise.all(recorded.map(async (file) => JSON.parse(await readFile(join(root, file), 'utf8'))))
}

/** The files that are not there as they would be written. */
async function staleFiles(): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(files).map(async ([file, text]) => {
      const committed = await readFile(join(root, file), 'utf8').catch(() => '')
      return committed === text ? [] : [file]
    }),
  )
  return found.flat()
}

function stop(message: string): void {
  console.error(message)
  process.exitCode = 1
}
