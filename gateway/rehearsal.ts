import { setImmediate as turn } from 'node:timers/promises'
import type { DocumentNode } from 'graphql'
import type { Operations } from './operations.ts'
import type { RecordedOperations } from './persisted.ts'

/** What an operation goes through before anything is fetched for it. */
export type Stage = {
  readonly operations: Operations
  /** Throws for a document that cannot be planned. */
  readonly plan: (document: DocumentNode) => void
}

/**
 * Checks and plans every recorded operation on a new schema. Throws with the names of those that worked on the schema before
 * and would not work any more. Others are served in between.
 */
export async function rehearse(recorded: RecordedOperations, next: Stage, previous: Stage): Promise<void> {
  const broken: string[] = []
  for (const [id, text] of recorded.byId) {
    await turn()
    if (!works(next, text) && works(previous, text)) broken.push(id)
  }
  if (broken.length > 0) throw new Error(`The supergraph breaks recorded operations: ${broken.sort().join(', ')}`)
}

function works({ operations, plan }: Stage, text: string): boolean {
  try {
    plan(operations.prepare(text).document)
    return true
  } catch {
    return false
  }
}
