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

/** Of which so many go into one statement. */
const mostAtOnce = 100

/**
 * Does by one statement what is asked for at about the same time: within one round of events, or within `time` milliseconds.
 *
 * Guarantee: where all together fail, each is done alone, so that none fails because of another.
 */
export function together<Item extends object, Done>(
  doAll: (items: readonly Item[]) => Promise<Done[]>,
  { time }: { time?: number } = {},
): (item: Item) => Promise<Done> {
  const loader = new DataLoader<Item, Done>(
    async (items) => {
      try {
        return await doAll(items)
      } catch (error) {
        if (items.length === 1) throw error
        const alone = await Promise.allSettled(items.map(async (item) => (await doAll([item]))[0] as Done))
        return alone.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason))
      }
    },
    {
      cache: false,
      maxBatchSize: mostAtOnce,
      ...(time !== undefined && { batchScheduleFn: (begin: () => void) => setTimeout(begin, time) }),
    },
  )
  return (item) => loader.load(item)
}
