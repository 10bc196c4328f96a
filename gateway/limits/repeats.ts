import { type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql'

/**
 * How many fields of a selection stand where there is one of the same name already, and fragments where there is another
 * one, once selections are merged as execution merges them. Validation compares all that stand in one place with each
 * other: its time grows with the square of this.
 */
export function countRepeats(
  selectionSet: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): number {
  let repeats = 0

  function merge(selectionSets: readonly SelectionSetNode[]): void {
    const places = new Map<string, SelectionSetNode[]>()
    const spread = new Set<string>()
    function collect({ selections }: SelectionSetNode): void {
      for (const selection of selections) {
        if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet)
        else if (selection.kind === Kind.FRAGMENT_SPREAD) {
          const { value } = selection.name
          if (spread.has(value)) continue
          if (spread.size > 0) repeats += 1
          spread.add(value)
          const fragment = fragments.get(value)
          if (fragment) collect(fragment.selectionSet)
        } else {
          const name = (selection.alias ?? selection.name).value
          const inner = places.get(name)
          if (inner) repeats += 1
          else places.set(name, [])
          if (selection.selectionSet) places.get(name)?.push(selection.selectionSet)
        }
      }
    }
    selectionSets.forEach(collect)
    places.forEach(merge)
  }

  merge([selectionSet])
  return repeats
}
