import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { GraphQLResult } from '../infra/stack.ts'

/** Milliseconds between looks which gateways are ready, and that one look may take. */
const interval = 500
/** Milliseconds that an unused connection is kept. */
const keptIdle = 1_000
/** Milliseconds that an answer may take. */
const patience = 30_000

/**
 * What stands in front of several gateways: it asks each whether it is ready, sends requests to those that are, in turn, and
 * a request to the next one when the connection was refused. Anything else that fails has failed.
 */
export function createLoadBalancer(urls: readonly string[]) {
  const limits = { keepAliveTimeout: keptIdle, keepAliveMaxTimeout: keptIdle, connections: 200 }
  const gateways = urls.map((url) => ({ pool: new Pool(new URL(url).origin, limits), ready: true }))
  const closing = new AbortController()
  let turn = 0

  const watching = gateways.map(async (gateway) => {
    while (!closing.signal.aborted) {
      gateway.ready = await isReady(gateway.pool)
      await sleep(interval, undefined, { signal: closing.signal }).catch(() => {})
    }
  })

  function next(tried?: Pool): Pool {
    const others = gateways.filter(({ pool }) => pool !== tried)
    const ready = others.filter((gateway) => gateway.ready)
    const from = ready.length > 0 ? ready : others
    const chosen = from[turn++ % from.length]
    if (!chosen) throw new Error('There is no gateway.')
    return chosen.pool
  }

  return {
    /** Sends one operation. Throws when there is no answer. */
    async send(query: string, variables: object, token?: string): Promise<GraphQLResult> {
      const body = JSON.stringify({ query, variables })
      const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
      const first = next()
      return post(first, headers, body).catch((error) => {
        if (error.code !== 'ECONNREFUSED') throw error
        return post(next(first), headers, body)
      })
    },
    async close(): Promise<void> {
      closing.abort()
      await Promise.all(watching)
      await Promise.all(gateways.map(({ pool }) => pool.close()))
    },
  }
}

export type LoadBalancer = ReturnType<typeof createLoadBalancer>

async function post(pool: Pool, headers: Record<string, string>, body: string): Promise<GraphQLResult> {
  const signal = AbortSignal.timeout(patience)
  const response = await pool.request({ method: 'POST', path: '/graphql', headers, body, signal })
  const { data, errors = [] } = (await response.body.json()) as Partial<GraphQLResult>
  return { status: response.statusCode, data, errors }
}

async function isReady(pool: Pool): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(patience)
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/health/ready', signal })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}
