/**
 * Waits until a condition holds: tests wait for what they need, never for a fixed time. `limit`: milliseconds after which
 * it fails, by far more than a slow machine needs.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false | null> | T | undefined | false | null,
  limit = 60_000,
): Promise<T> {
  const deadline = Date.now() + limit
  for (;;) {
    const result = await condition()
    if (result) return result
    if (Date.now() > deadline) throw new Error(`Waited ${limit} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
