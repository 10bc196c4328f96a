import type { FetchDataRewrite } from '@apollo/query-planner'
import type { GraphQLSchema } from 'graphql'
import { type Data, own, setOwn } from '../objects.ts'
import { isOfType } from './types.ts'

/** Changes what goes to a subgraph or comes from it, so that both sides call things by their own names. */
export type Rewrite = (value: unknown) => void

const fragment = '... on '

/** The changes that a plan asks for, in their order. Undefined when there are none. */
export function compileRewrites(
  schema: GraphQLSchema,
  rewrites: readonly FetchDataRewrite[] = [],
): Rewrite | undefined {
  const compiled = rewrites.map((rewrite) => compileRewrite(schema, rewrite))
  if (compiled.length === 0) return undefined
  return (value) => {
    for (const rewrite of compiled) rewrite(value)
  }
}

function compileRewrite(schema: GraphQLSchema, rewrite: FetchDataRewrite): Rewrite {
  const name = rewrite.path.at(-1)
  if (name === undefined) return () => {}
  const change = changeOf(rewrite, name)
  return rewrite.path.slice(0, -1).reduceRight<Rewrite>((rest, step) => {
    const condition = step.startsWith(fragment) ? step.slice(fragment.length) : undefined
    return eachObject((object) => {
      if (condition === undefined) rest(own(object, step))
      else if (isOfType(schema, object, condition, true)) rest(object)
    })
  }, eachObject(change))
}

function changeOf(rewrite: FetchDataRewrite, name: string): (object: Data) => void {
  if (rewrite.kind === 'ValueSetter') return (object) => setOwn(object, name, rewrite.setValueTo)
  return (object) => {
    const value = own(object, name)
    if (!value) return
    setOwn(object, rewrite.renameKeyTo, value)
    object[name] = undefined
  }
}

function eachObject(change: (object: Data) => void): Rewrite {
  return function visit(value): void {
    if (Array.isArray(value)) for (const element of value) visit(element)
    else if (typeof value === 'object' && value !== null) change(value as Data)
  }
}
