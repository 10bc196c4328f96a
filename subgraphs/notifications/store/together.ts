import DataLoader from 'dataloader'

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
