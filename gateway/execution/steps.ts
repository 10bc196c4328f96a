import type { FetchNode, PlanNode, QueryPlan, ResponsePath } from '@apollo/query-planner'
import { GraphQLError } from 'graphql'
import type { FetchContext } from '../forward.ts'
import type { Data } from '../objects.ts'

/** An operation that is being executed. */
export type Run = {
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>
  readonly context: FetchContext
  /** What subgraphs have answered so far, joined. */
  readonly data: Data
  readonly errors: GraphQLError[]
}

/** A part of a plan. It never rejects: what fails is among the errors of the run. */
export type Step = (run: Run) => Promise<void>

export type CompileFetch = (node: FetchNode, path: ResponsePath) => Step

const done: Step = () => Promise.resolve()

/** Makes of a plan what executes it, as often as it is asked for. */
export function compileSteps({ node }: QueryPlan, compileFetch: CompileFetch): Step {
  if (!node) return done
  if (node.kind === 'Subscription') throw new Error('Subscriptions are not planned.')
  return compile(node, [])

  function compile(node: PlanNode, path: ResponsePath): Step {
    switch (node.kind) {
      case 'Fetch':
        return compileFetch(node, path)
      case 'Flatten':
        return compile(node.node, [...path, ...node.path])
      case 'Sequence':
        return sequence(node.nodes.map((child) => compile(child, path)))
      case 'Parallel':
        return parallel(node.nodes.map((child) => compile(child, path)))
      case 'Condition':
        throw new Error('Conditions are resolved before an operation is planned.')
      case 'Defer':
        throw new Error('@defer is not planned.')
    }
  }
}

function sequence(steps: readonly Step[]): Step {
  return async (run) => {
    for (const step of steps) await step(run)
  }
}

function parallel(steps: readonly Step[]): Step {
  return async (run) => {
    await Promise.all(steps.map((step) => step(run)))
  }
}

/** What was thrown, with words that tell nothing of it unless it was meant to be seen. */
export function asGraphQLError(error: unknown, message: string): GraphQLError {
  return error instanceof GraphQLError ? error : new GraphQLError(message, { originalError: error as Error })
}
