import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { z } from 'zod'
import type { Log } from './log.ts'
import { createLoop } from './loop.ts'

/** An instance as others find it. */
export type ServiceInstance = { address: string; port: number; grpcPort?: number }

export type ConsulOptions = {
  /** Of an agent. */
  url: string
  token?: string
  log: Log
  /** Milliseconds between looks whether Consul still knows what was registered. Default 10000. */
  interval?: number
  /** Seconds that a question about instances waits for a change. Default 30. */
  wait?: number
}

/** Milliseconds that an answer may take which waits for nothing. */
const answerLimit = 2_000
/** Milliseconds before a question is asked again that failed; doubled for each further failure. Up to half is random. */
const firstPause = 100
const longestPause = 10_000
/** Bytes of an answer, at the most. */
const answerSize = 4 * 1024 * 1024

const check = { Interval: '10s', Timeout: '3s', DeregisterCriticalServiceAfter: '1m' }

const health = z.array(
  z.object({
    Node: z.object({ Address: z.string() }),
    Service: z.object({ Address: z.string(), Port: z.int(), Meta: z.record(z.string(), z.string()).nullish() }),
  }),
)

type Question = { method: 'GET' | 'PUT'; path: string; body?: object; limit?: number }

/**
 * An agent of Consul. Nothing here fails for good while it is away: what was registered is registered again, and what is
 * followed stays as it was last heard. https://developer.hashicorp.com/consul/api-docs/features/blocking
 */
export function createConsul({ url, token, log, interval = 10_000, wait = 30 }: ConsulOptions) {
  const pool = new Pool(new URL(url).origin, { maxResponseSize: answerSize })
  const closing = new AbortController()
  const registrations = new Set<{ stop(): Promise<void> }>()

  async function ask({ method, path, body, limit = answerLimit }: Question) {
    const answer = await pool.request({
      method,
      path,
      headers: { ...(token && { 'x-consul-token': token }), ...(body && { 'content-type': 'application/json' }) },
      body: body ? JSON.stringify(body) : null,
      headersTimeout: 0,
      bodyTimeout: 0,
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(limit)]),
    })
    const text = await answer.body.text()
    if (answer.statusCode !== 200 && answer.statusCode !== 404) throw new Error(`Consul: status ${answer.statusCode}`)
    return { found: answer.statusCode === 200, text, index: Number(answer.headers['x-consul-index']) }
  }

  return {
    /**
     * Registers an instance, to be asked for its readiness every 10 s, and keeps it registered. Resolves when the first
     * attempt was made, whatever came of it. What is returned takes it off again, and waits 2 s for that at the most.
     */
    async register(service: string, instance: ServiceInstance): Promise<() => Promise<void>> {
      const { address, port, grpcPort } = instance
      const id = `${service}-${address}-${port}`
      const first = Promise.withResolvers<void>()
      const keeping = createLoop({
        name: 'registration with Consul',
        interval,
        log,
        async work() {
          try {
            const { found } = await ask({ method: 'GET', path: `/v1/agent/service/${encodeURIComponent(id)}` })
            if (!found) await ask({ method: 'PUT', path: '/v1/agent/service/register', body })
          } finally {
            first.resolve()
          }
          return false
        },
      })
      const body = {
        ID: id,
        Name: service,
        Address: address,
        Port: port,
        Meta: grpcPort === undefined ? {} : { grpc_port: String(grpcPort) },
        // It listens and has just checked what it needs. Else Consul would wait up to 10 s before it believes it.
        Check: { ...check, HTTP: `http://${hostOf(address)}:${port}/health/ready`, Status: 'passing' },
      }
      registrations.add(keeping)
      keeping.start()
      await first.promise
      return async () => {
        registrations.delete(keeping)
        await keeping.stop()
        await ask({ method: 'PUT', path: `/v1/agent/service/deregister/${encodeURIComponent(id)}` }).catch((error) =>
          log.warn('not taken off Consul', { service, error }),
        )
      }
    },

    /**
     * Tells of the healthy instances of a service now, and of each change. While Consul is away, and when it says that there
     * are none, the last ones stand: one that has forgotten everything must not take the shop down, and an instance that is
     * gone refuses by itself. Resolves when the first attempt was made.
     */
    follow(service: string, tell: (instances: readonly ServiceInstance[]) => void): Promise<void> {
      const first = Promise.withResolvers<void>()
      let index = 0
      let failures = 0

      async function turn(): Promise<void> {
        const blocking = index > 0 ? `&index=${index}&wait=${wait}s` : ''
        // Consul adds up to a sixteenth of the wait, so that not all ask again at once.
        const limit = index > 0 ? wait * 1_000 * (1 + 1 / 16) + answerLimit : answerLimit
        const path = `/v1/health/service/${encodeURIComponent(service)}?passing=true${blocking}`
        const answer = await ask({ method: 'GET', path, limit })
        const instances = health.parse(JSON.parse(answer.text)).map(instanceOf)
        // An index that goes back is that of another state, and 0 would not wait.
        index = answer.index < index ? 0 : Math.max(1, answer.index || 1)
        if (failures > 0) log.info('Consul is back', { service })
        failures = 0
        if (instances.length > 0) tell(instances)
        else log.warn('Consul knows no instance, the last ones stand', { service })
      }

      async function run(): Promise<void> {
        while (!closing.signal.aborted) {
          try {
            await turn()
          } catch (error) {
            if (closing.signal.aborted) break
            if (failures === 0) log.warn('Consul is away, the last instances stand', { service, error })
            index = 0
            const pause = Math.min(longestPause, firstPause * 2 ** failures++) * (0.5 + Math.random() / 2)
            first.resolve()
            await sleep(pause, undefined, { signal: closing.signal }).catch(() => {})
          }
          first.resolve()
        }
      }
      void run()
      return first.promise
    },

    /** Ends all questions, and keeps nothing registered any more. */
    async close(): Promise<void> {
      closing.abort()
      await Promise.all([...registrations].map((keeping) => keeping.stop()))
      await pool.destroy()
    },
  }
}

export type Consul = ReturnType<typeof createConsul>

function instanceOf({ Node, Service }: z.output<typeof health>[number]): ServiceInstance {
  const grpcPort = Service.Meta?.grpc_port
  return {
    address: Service.Address || Node.Address,
    port: Service.Port,
    ...(grpcPort && { grpcPort: Number(grpcPort) }),
  }
}

/** An address as it stands in a URL. */
export function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
