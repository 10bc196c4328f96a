/**
 * Dead letters: events that a service gave up, with the reason.
 *
 *   npm run replay -- list
 *   npm run replay -- show  --topic orders --group notifications [--id <event>] [--limit 20]
 *   npm run replay -- drive --topic orders --group notifications [--id <event>] [--yes]
 *   npm run replay -- drop  --topic orders --group notifications [--id <event>] [--yes]
 *
 * drive gives the events to their group again, after what made them fail is mended; drop leaves them be. Both say what they
 * will do, and do it with --yes alone. An event may also be named by the place of its letter, `partition/offset`. What was
 * driven or dropped is not driven again. See docs/events.md.
 */
import { parseArgs } from 'node:util'
import { deadLetterHeaders } from '#platform/bus/delivery.ts'
import { openRecords } from '#platform/bus/open.ts'
import { createReplay, type DeadLetter, placeOf } from '#platform/bus/replay.ts'
import { silentLog as log } from '#platform/log.ts'
import { eventLogConfig } from './infra/event-log.ts'

type Replay = ReturnType<typeof createReplay>
type Selection = { topic: string; group: string; id: string | undefined; limit: number; yes: boolean }

/** Characters of a body that are shown. */
const longestBody = 500
const usage =
  'Usage: npm run replay -- list | <show|drive|drop> --topic <topic> --group <group> [--id <event>] [--limit <n>] [--yes]'

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { command, selection } = parseCommand()
  const records = await openRecords({ config: eventLogConfig(), log })
  const replay = createReplay({ records, now: () => new Date() })
  try {
    if (!selection) await list(replay)
    else if (command === 'show') show(await replay.find(selection), selection.limit)
    else await settle(replay, command === 'drive' ? 'drive' : 'drop', selection)
  } finally {
    await records.close()
  }
}

function parseCommand(): { command: string; selection?: Selection } {
  try {
    const text = { type: 'string' } as const
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { topic: text, group: text, id: text, limit: text, yes: { type: 'boolean' } },
    })
    const [command = '', ...rest] = positionals
    const { topic, group, id, limit = '20', yes = false } = values
    if (rest.length === 0 && command === 'list') return { command }
    const known = ['show', 'drive', 'drop'].includes(command) && /^\d+$/.test(limit)
    if (rest.length === 0 && known && topic && group) {
      return { command, selection: { topic, group, id, limit: Number(limit), yes } }
    }
  } catch {
    // An option that there is not.
  }
  throw new Error(usage)
}

async function list(replay: Replay): Promise<void> {
  const rows = await replay.list()
  if (rows.length === 0) return console.log('There are no dead letters, and never were any.')
  console.log(`${'topic'.padEnd(34)}${'waiting'.padStart(9)}${'kept'.padStart(9)}   oldest that waits`)
  for (const { topic, waiting, kept, oldest = '' } of rows) {
    console.log(`${topic.padEnd(34)}${String(waiting).padStart(9)}${String(kept).padStart(9)}   ${oldest}`)
  }
}

function show(letters: readonly DeadLetter[], limit: number): void {
  console.log('Bodies may hold personal data, such as names and addresses: keep them where you are.\n')
  for (const letter of letters.slice(0, limit)) {
    console.log(line(letter))
    for (const [name, value] of Object.entries(letter.headers)) console.log(`    ${name}: ${quoted(value)}`)
    const body = letter.value.toString()
    console.log(`    body: ${quoted(body.slice(0, longestBody))}${body.length > longestBody ? ' ...' : ''}\n`)
  }
  const more = letters.length - limit
  console.log(more > 0 ? `${more} more wait: --limit ${letters.length} shows them.` : `${letters.length} wait.`)
}

async function settle(replay: Replay, what: 'drive' | 'drop', { yes, ...selection }: Selection): Promise<void> {
  const letters = await replay.find(selection)
  for (const letter of letters) console.log(`${what}  ${line(letter)}`)
  if (letters.length === 0) return console.log('None waits: there is nothing to do.')
  if (!yes) {
    const plan =
      what === 'drive'
        ? `put ${letters.length} at the end of ${selection.topic}, for ${selection.group} alone`
        : `mark ${letters.length} as dropped: nothing will handle them`
    return console.log(`\nNothing is done yet. With --yes this will ${plan}.`)
  }
  for (const letter of letters) await replay[what](letter)
  console.log(`\n${letters.length} ${what === 'drive' ? 'driven' : 'dropped'}.`)
}

/** A letter in a line. */
function line(letter: DeadLetter): string {
  const { ce_type = '(no type)', ce_id = '(no id)', [deadLetterHeaders.error]: error = '' } = letter.headers
  return [placeOf(letter).padEnd(8), ce_type, ce_id, quoted(error)].join('  ')
}

/** Text from elsewhere, with nothing in it that a terminal would act on. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, '.')
}
