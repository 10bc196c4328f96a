import { compareAccess, parseRemovals, type Removal, removalsFile } from './access.ts'
import { compareSchemas, type SchemaChange } from './changes.ts'
import { type Composition, composeSubgraphs, type Remark } from './composition.ts'
import { type ContractChange, compareSubgraph } from './contracts.ts'
import { gatherEvidence } from './evidence.ts'
import { readSubgraphs, type SubgraphSource } from './graph.ts'
import { type RecordedOperation, readOperations } from './operations.ts'
import { type Places, placesOf } from './places.ts'
import { createPlanner, type Planner } from './plans.ts'
import type { Tree } from './sources.ts'

export type Outcome = 'fails' | 'warns' | 'passes'

/** One change, judged. */
export type Finding = Remark & {
  readonly outcome: Outcome
  readonly level: SchemaChange['level'] | 'access' | 'composition'
  readonly kind: string
  readonly subject: string
  /** The subgraph whose promise to others changed. Absent where clients see the change. */
  readonly subgraph?: string
  /** The recorded operations that notice it, as `<client>/<name>`. */
  readonly usedBy: readonly string[]
  /** What to do about it. */
  readonly advice?: string
}

/** All that a check looks at, at one point of history. */
export type GraphState = {
  readonly name: string
  readonly subgraphs: readonly SubgraphSource[]
  readonly operations: readonly RecordedOperation[]
  readonly removals: readonly Removal[]
}

export type Report = { readonly before: string; readonly after: string; readonly findings: readonly Finding[] }

export async function readState(tree: Tree): Promise<GraphState> {
  const [subgraphs, operations, [removals]] = await Promise.all([
    readSubgraphs(tree),
    readOperations(tree),
    tree.read([removalsFile]),
  ])
  return { name: tree.name, subgraphs, operations, removals: parseRemovals(removals) }
}

/**
 * Compares two states of the graph.
 *
 * Guarantee: where nothing fails, every operation that was recorded before or is recorded now is answered by gateways with the
 * old schema and with the new one, and nobody may see what they might not see before, unless the change says so.
 */
export async function checkSchema(before: GraphState, after: GraphState): Promise<Report> {
  const report = (findings: readonly Finding[]): Report => ({ before: before.name, after: after.name, findings })
  const is = composeSubgraphs(after.subgraphs)
  if (is.faults) return report(is.faults.map((fault) => faulty('DOES_NOT_COMPOSE', fault)))
  const was = composeSubgraphs(before.subgraphs)
  if (was.faults) {
    const message = `${before.name} does not compose, so there is nothing to compare with.`
    return report([{ ...faulty('NOTHING_TO_COMPARE', { message }), outcome: 'warns' }])
  }
  return report(await compare(before, was, after, is))
}

type Composed = Extract<Composition, { sdl: string }>

async function compare(before: GraphState, was: Composed, after: GraphState, is: Composed): Promise<Finding[]> {
  const places = placesOf(after.subgraphs)
  const planner = createPlanner(was.sdl)
  const current = was.sdl === is.sdl ? planner : createPlanner(is.sdl)
  const evidence = gatherEvidence(planner, sentOperations(before, after))
  const seen = was.sdl === is.sdl ? [] : await compareSchemas(planner.api, current.api)
  const contracts = (
    await Promise.all(subgraphPairs(before, after).map(([from, to]) => compareSubgraph(from, to)))
  ).flat()
  return [
    ...seen.map((change) => judged(change, evidence.ofClients(change), places)),
    ...contracts
      .filter((change) => !seen.some(({ kind, subject }) => kind === change.kind && subject === change.subject))
      .map((change) => judged(change, evidence.ofPlans(change), places, change)),
    ...judgedAccess(before, was, planner, after, is, current, places),
  ].sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome))
}

const order: readonly Outcome[] = ['fails', 'warns', 'passes']

/** What was recorded before counts as well: clients that send it do not go away with its file. */
function sentOperations(before: GraphState, after: GraphState): RecordedOperation[] {
  const texts = new Set(before.operations.map(({ text }) => text))
  return [...before.operations, ...after.operations.filter(({ text }) => !texts.has(text))]
}

/** Each subgraph with itself. One that is gone promises nothing any more. */
function subgraphPairs(before: GraphState, after: GraphState): (readonly [SubgraphSource, SubgraphSource])[] {
  return before.subgraphs.map((from) => {
    const nothing = { ...from, sdl: 'type Query' }
    return [from, after.subgraphs.find(({ name }) => name === from.name) ?? nothing]
  })
}

function judged(
  { level, kind, subject, message, deprecated }: SchemaChange,
  usedBy: readonly string[],
  places: Places,
  contract?: ContractChange,
): Finding {
  const subgraph = contract?.subgraph
  const place = places(subject, subgraph)
  const advice = adviceFor(level, usedBy, deprecated, contract)
  return {
    outcome: outcomeOf(level, usedBy.length > 0, deprecated),
    level,
    kind,
    subject,
    message,
    usedBy,
    ...(subgraph && { subgraph }),
    ...(advice && { advice }),
    ...place,
  }
}

function outcomeOf(level: SchemaChange['level'], used: boolean, deprecated: boolean): Outcome {
  if (level === 'safe') return 'passes'
  if (level === 'dangerous') return used ? 'warns' : 'passes'
  if (used) return 'fails'
  // It was announced, and everybody has left.
  return deprecated ? 'passes' : 'warns'
}

function adviceFor(
  level: SchemaChange['level'],
  usedBy: readonly string[],
  deprecated: boolean,
  contract: ContractChange | undefined,
): string | undefined {
  if (level !== 'breaking') return undefined
  if (usedBy.length === 0) {
    return deprecated
      ? undefined
      : 'No recorded operation uses it. Clients that record nothing may: deprecate it first.'
  }
  return contract
    ? 'Gateways that have the old schema still ask for it while this is rolled out. Keep it, move it with @override, and remove it once no plan asks for it: docs/schema.md.'
    : 'Keep it, mark it with @deprecated, and remove it in a later change, once these operations no longer ask for it: docs/schema.md.'
}

function judgedAccess(
  before: GraphState,
  was: Composed,
  planner: Planner,
  after: GraphState,
  is: Composed,
  current: Planner,
  places: Places,
): Finding[] {
  const weakened =
    was.sdl === is.sdl
      ? []
      : compareAccess({ api: planner.api, supergraphSdl: was.sdl }, { api: current.api, supergraphSdl: is.sdl })
  // What was said in an earlier change allows nothing in this one.
  const said = (field: string, { removals }: GraphState) => removals.filter((removal) => removal.field === field).length
  const allowed = new Set(
    after.removals.map(({ field }) => field).filter((field) => said(field, after) > said(field, before)),
  )
  const idle = [...allowed].filter((field) => !weakened.some((each) => each.field === field))
  return [
    ...weakened.map(({ field, before, after }): Finding => {
      const isAllowed = allowed.has(field)
      const advice = `If that is meant, add the field and the reason to ${removalsFile}.`
      return {
        outcome: isAllowed ? 'warns' : 'fails',
        level: 'access',
        kind: 'ACCESS_WEAKENED',
        subject: field,
        message: `${field} asked for ${before} and asks for ${after} now.`,
        usedBy: [],
        ...(!isAllowed && { advice }),
        ...places(field),
      }
    }),
    ...idle.map((field) =>
      faulty('ACCESS_NOT_WEAKENED', {
        message: `${field} is listed in ${removalsFile} by this change, which takes no access rule away from it.`,
        file: removalsFile,
      }),
    ),
  ]
}

function faulty(kind: string, remark: Remark): Finding {
  return { outcome: 'fails', level: 'composition', kind, subject: '', usedBy: [], ...remark }
}
