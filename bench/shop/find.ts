/** Requests a second that no search goes beyond. */
export const mostRate = 20_000
/** Each step up is by this much, and the search ends when the bounds are this close. */
const stride = 1.5
const close = 1.06

/**
 * The highest rate that holds: steps up from `from` until one does not hold, then halves what is between. Undefined when
 * nothing from a tenth of `from` on does. Never tries a rate above `most`.
 */
export async function findHighest(
  { from, most }: { from: number; most: number },
  holds: (rate: number) => Promise<boolean>,
): Promise<number | undefined> {
  let rate = from
  let good: number | undefined
  let bad: number | undefined
  for (;;) {
    if (await holds(rate)) good = rate
    else bad = rate
    if (good === undefined) rate = Math.round(rate / stride)
    else if (bad === undefined) rate = Math.min(most, Math.round(rate * stride))
    else rate = Math.round((good + bad) / 2)
    if (good === most || rate < from / 10 || rate < 1) return good
    if (good !== undefined && bad !== undefined && bad / good <= close) return good
    if (rate === good || rate === bad) return good
  }
}
