import { setTimeout as sleep } from 'node:timers/promises'
import type { Health } from '#platform/health.ts'

/** Milliseconds that processes which are ready have to reach each other. */
const limit = 60_000
const pause = 100
/** Milliseconds that one answer may take. */
const patience = 2_000

/** Waits until each process says at its health URL that it is UP. Throws, naming those that are not and why. */
export async function everythingUp(urls: Record<string, string>): Promise<void> {
  const deadline = Date.now() + limit
  const faults = await Promise.all(
    Object.entries(urls).map(async ([name, url]) => {
      for (;;) {
        const fault = await faultOf(url)
        if (!fault) return []
        if (Date.now() > deadline) return [`${name} (${fault})`]
        await sleep(pause)
      }
    }),
  )
  if (faults.flat().length > 0) {
    throw new Error(`Not everything works ${limit / 1000} s after the start: ${faults.flat().join('; ')}.`)
  }
}

async function faultOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patience) })
    const { status, dependencies } = (await response.json()) as Health
    if (status === 'UP') return undefined
    const faulty = Object.entries(dependencies).filter(([, dependency]) => dependency.status !== 'UP')
    return faulty.map(([name, { status, reason }]) => `${name} is ${status}, ${reason}`).join(', ')
  } catch {
    return 'no answer'
  }
}
