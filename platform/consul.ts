import { z } from 'zod'
import { createQuestions, type QuestionsOptions } from './consul/questions.ts'
import { createValues } from './consul/values.ts'
import { createLoop } from './loop.ts'

/** An instance as others find it. */
export type ServiceInstance = { address: string; port: number; grpcPort?: number }

export type ConsulOptions = QuestionsOptions & {
  /** Milliseconds between looks whether Consul still knows what was registered. Default 10000. */
  interval?: number
}

const check = { Interval: '10s', Timeout: '3s', DeregisterCriticalServiceAfter: '1m' }

const health = z.array(
  z.object({
    Node: z.object({ Address: z.string() }),
    Service: z.object({ Address: z.string(), Port: z.int(), Meta: z.record(z.string(), z.string()).nullish() }),
  }),
)

/**
 * An agent of Consul. Nothing here fails for good while it is away: what was registered is registered again, and what is
 * followed stays as it was last heard.
 */
export function createConsul({ interval = 10_000, ...options }: ConsulOptions) {
  const { log } = options
  const questions = createQuestions(options)
  const { ask, follow } = questions
  const registrations = new Set<{ stop(): Promise<void> }>()

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
      return follow({
        about: service,
        path: `/v1/health/service/${encodeURIComponent(service)}?passing=true`,
        hear({ text }) {
          const instances = health.parse(JSON.parse(text)).map(instanceOf)
          if (instances.length > 0) tell(instances)
          else log.warn('Consul knows no instance, the last ones stand', { service })
        },
      })
    },

    values: createValues(questions, log),

    /** Ends all questions, and keeps nothing registered any more. */
    async close(): Promise<void> {
      questions.end()
      await Promise.all([...registrations].map((keeping) => keeping.stop()))
      await questions.close()
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
