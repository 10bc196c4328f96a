import DataLoader from 'dataloader'

/**
 * A loader for one request over `find`, which returns what exists of the keys, once each and in any order. What does not
 * exist is undefined.
 */
export function createLoader<Item>(
  find: (keys: readonly string[]) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
): DataLoader<string, Item | undefined> {
  return new DataLoader(async (keys) => {
    const found = new Map((await find(keys)).map((item) => [keyOf(item), item]))
    return keys.map((key) => found.get(key))
  })
}

export type Loader<Item> = DataLoader<string, Item | undefined>

/** The same where any number of items belongs to a key, in the order in which `find` returns them. */
export function createGroupLoader<Item>(
  find: (keys: readonly string[]) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
): DataLoader<string, readonly Item[]> {
  return new DataLoader(async (keys) => {
    const found = Map.groupBy(await find(keys), keyOf)
    return keys.map((key) => found.get(key) ?? [])
  })
}

export type GroupLoader<Item> = DataLoader<string, readonly Item[]>
