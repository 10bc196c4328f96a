/** The ones that a list names, in their own order; all where there is no list. Throws for one that is not there. */
export function chosen<Name extends string>(list: string | undefined, all: readonly Name[]): Name[] {
  const named = list?.split(',').map((name) => name.trim())
  const unknown = named?.filter((name) => !all.some((known) => known === name)) ?? []
  if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')}. There are: ${all.join(', ')}.`)
  return all.filter((name) => named?.includes(name) ?? true)
}
