import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../services.ts'
import { checkSchema, type Finding, readState } from '../check.ts'
import { composeSubgraphs } from '../composition.ts'
import { lintSubgraphs } from '../lint.ts'
import { checkOperations, readBudgets } from '../operations.ts'
import { createPlanner } from '../plans.ts'
import { type Tree, workingTree } from '../sources.ts'

/** Runs docs/schema.md: each `diff` is applied, and what the check says then is what the `text` behind it says. */

const recipes = readFileSync(join(root, 'docs/schema.md'), 'utf8').split('## Recipes')[1] ?? ''
const sections = recipes.split(/^### /m).slice(1)
const disk = workingTree(root)

/** The files as they are, with those in `changed` in their place. */
function treeWith(changed: ReadonlyMap<string, string>): Tree {
  return {
    name: 'the recipe',
    list: async (prefix) => [
      ...new Set([...(await disk.list(prefix)), ...[...changed.keys()].filter((path) => path.startsWith(prefix))]),
    ],
    read: async (paths) => (await disk.read(paths)).map((text, index) => changed.get(paths[index] ?? '') ?? text),
  }
}

/** A block of the form of `diff -u`, without its header: the first line names the file. */
async function apply(block: string, changed: Map<string, string>): Promise<void> {
  const [file = '', ...lines] = block.split('\n')
  const side = (signs: string) =>
    lines.filter((line) => signs.includes(line[0] ?? ' ')).map((line) => `${line.slice(1)}\n`)
  const [before, after] = [side(' -').join(''), side(' +').join('')]
  const [text = ''] = await treeWith(changed).read([file])
  assert.ok(text.includes(before), `${file} has:\n${before}`)
  changed.set(file, before === '' ? text + after : text.replace(before, () => after))
}

function said({ outcome, kind, subject, subgraph, usedBy }: Finding): string {
  const users = usedBy.length > 0 && outcome !== 'passes' ? `, used by ${usedBy.join(', ')}` : ''
  return `${outcome} ${kind} ${subject}${subgraph ? ` (${subgraph})` : ''}${users}`
}

let changed: ReadonlyMap<string, string> = new Map()

for (const section of sections) {
  test(`recipe: ${section.split('\n')[0]}`, async () => {
    let pending = new Map(changed)
    const steps = [...section.matchAll(/^```(diff|text)\n(.*?)^```$/gms)]
    assert.ok(steps.some(([, kind]) => kind === 'text'))
    for (const [, kind, block = ''] of steps) {
      if (kind === 'diff') {
        await apply(block.replace(/\n$/, ''), pending)
        continue
      }
      const { findings } = await checkSchema(await readState(treeWith(changed)), await readState(treeWith(pending)))
      const expected = block.split('\n').filter(Boolean)
      assert.deepEqual(findings.map(said).sort(), expected.sort())
      if (findings.some(({ outcome }) => outcome === 'fails')) pending = new Map(changed)
      else await keepsTheRest(treeWith(pending))
      changed = new Map(pending)
    }
  })
}

/** A step that passes the check also composes, keeps the conventions and the budgets. */
async function keepsTheRest(tree: Tree): Promise<void> {
  const { subgraphs, operations } = await readState(tree)
  assert.deepEqual(await lintSubgraphs(root, subgraphs), [])
  const { sdl = '' } = composeSubgraphs(subgraphs)
  assert.deepEqual(checkOperations(operations, createPlanner(sdl), await readBudgets(tree)).faults, [])
}
