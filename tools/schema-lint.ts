/** `npm run schema:lint`: whether the subgraphs' schemas keep the conventions of docs/schema.md. */
import { lineOf } from './schema/composition.ts'
import { readSubgraphs } from './schema/graph.ts'
import { lintSubgraphs } from './schema/lint.ts'
import { workingTree } from './schema/sources.ts'
import { root } from './services.ts'

const remarks = await lintSubgraphs(root, await readSubgraphs(workingTree(root)))
for (const remark of remarks) console.error(lineOf(remark))
process.exitCode = remarks.length > 0 ? 1 : 0
