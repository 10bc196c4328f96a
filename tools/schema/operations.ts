import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, Source, validate } from 'graphql'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import type { Remark } from './composition.ts'
import { countFetches, type Planner, printPlan } from './plans.ts'
import type { Tree } from './sources.ts'
import { operationNames } from './usage.ts'

/** An operation that a client sends. */
export type RecordedOperation = {
  /** `<client>/<name>` */
  readonly id: string
  readonly client: string
  readonly file: string
  readonly text: string
}

export const operationsFolder = 'schema/operations'
export const budgetsFile = `${operationsFolder}/budgets.yaml`

/** The most fetches that each operation may take, by id. */
const budgets = z.record(z.string(), z.int().min(1).max(1_000))
export type Budgets = z.infer<typeof budgets>

/** The recorded operations of a tree, by their ids. */
export async function readOperations(tree: Tree): Promise<RecordedOperation[]> {
  const files = (await tree.list(operationsFolder)).filter((file) => /^[^/]+\/[^/]+\/[^/]+\/[^/]+\.graphql$/.test(file))
  const texts = await tree.read(files)
  return files.map((file, index) => {
    const id = file.slice(operationsFolder.length + 1, -'.graphql'.length)
    return { id, client: id.split('/')[0] ?? '', file, text: texts[index] ?? '' }
  })
}

/** Throws with what is wrong with the file. */
export async function readBudgets(tree: Tree): Promise<Budgets> {
  const [text] = await tree.read([budgetsFile])
  const { data, error } = budgets.safeParse(parseYaml(text ?? '') ?? {})
  if (data) return data
  throw new Error(error.issues.map(({ path, message }) => `${budgetsFile}: ${path.join('.')}: ${message}`).join('\n'))
}

export const plansFolder = 'schema/plans'

/** The committed plan of an operation. */
export function planFile(id: string): string {
  return `${plansFolder}/${id}.txt`
}

export type PlannedOperation = { readonly id: string; readonly fetches: number; readonly tree: string }

/**
 * Validates each operation, plans it and counts its fetches against its budget. An operation without a budget is a fault, and
 * so is a budget without an operation.
 */
export function checkOperations(
  operations: readonly RecordedOperation[],
  planner: Planner,
  allowed: Budgets,
): { faults: Remark[]; planned: PlannedOperation[] } {
  const planned: PlannedOperation[] = []
  const faults = operations.flatMap((operation): Remark[] => {
    const { id, file } = operation
    const { document, faults } = readDocument(operation, planner.api)
    if (!document) return faults
    const plan = planner.plan(document)
    const fetches = countFetches(plan)
    planned.push({ id, fetches, tree: printPlan(plan) })
    const budget = allowed[id]
    if (budget === undefined) {
      return [{ message: `${id} takes ${fetches} fetches and has no budget. Add it to ${budgetsFile}.`, file }]
    }
    if (fetches <= budget) return []
    return [
      {
        message: `${id} takes ${fetches} fetches, and its budget is ${budget}. See why: npm run plan -- ${id}`,
        file,
      },
    ]
  })
  const unknown = Object.keys(allowed).filter((id) => !operations.some((operation) => operation.id === id))
  return {
    faults: [
      ...faults,
      ...unknown.map((id) => ({ message: `There is a budget for ${id}, which is not recorded.`, file: budgetsFile })),
    ],
    planned,
  }
}

/** A recorded operation as a document: one operation, valid, of the name of its file. */
export function readDocument(
  { id, file, text }: RecordedOperation,
  api: GraphQLSchema,
): { document: DocumentNode; faults?: never } | { document?: never; faults: Remark[] } {
  try {
    const document = parse(new Source(text, file))
    const errors = validate(api, document)
    if (errors.length > 0) return { faults: errors.map((error) => remarkOf(error, file)) }
    const [, name = ''] = id.split('/')
    const found = operationNames(document).join(', ')
    if (found === name) return { document }
    return { faults: [{ message: `The file must hold one operation, called ${name}, and holds ${found}.`, file }] }
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    return { faults: [remarkOf(error, file)] }
  }
}

function remarkOf({ message, locations = [] }: GraphQLError, file: string): Remark {
  return { message, file, ...(locations[0] && { line: locations[0].line }) }
}
