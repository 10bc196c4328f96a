/**
 * Loaded into the orders process before its own code (`--import`): wraps its store, its peers and the event log, so that
 * the process kills itself at the step that the file named by CRASH_FILE asks for. The code under test knows nothing of it.
 */
import { readFileSync, rmSync } from 'node:fs'
import { registerHooks } from 'node:module'
import type { Bus } from '#platform/bus/bus.ts'
import type { Products, Users } from '../../subgraphs/orders/service/dependencies.ts'
import type { OrdersStore } from '../../subgraphs/orders/store.ts'

/** The steps of createOrder and of its event, in order. The process dies right after each, or before the next. */
export const steps = [
  'account checked',
  'key claimed',
  'stock held',
  'order placed',
  'event about to be published',
  'event published',
] as const
export type Step = (typeof steps)[number]

/** Dies if this is the step that is asked for. The request is taken away first, so that the next life is a normal one. */
function reach(step: Step): void {
  const file = process.env.CRASH_FILE ?? ''
  let wanted: string
  try {
    wanted = readFileSync(file, 'utf8')
  } catch {
    return
  }
  if (wanted !== step) return
  rmSync(file)
  process.kill(process.pid, 'SIGKILL')
  // The signal is not instant.
  for (;;);
}

function after<Args extends unknown[], Result>(step: Step, work: (...args: Args) => Promise<Result>) {
  return async (...args: Args): Promise<Result> => {
    const result = await work(...args)
    reach(step)
    return result
  }
}

export function wrapStore(store: OrdersStore): OrdersStore {
  return { ...store, claim: after('key claimed', store.claim), place: after('order placed', store.place) }
}

export function wrapUsers(users: Users): Users {
  return { ...users, requireUser: after('account checked', users.requireUser) }
}

export function wrapProducts(products: Products): Products {
  return { ...products, reserve: after('stock held', products.reserve) }
}

export function wrapBus(bus: Bus): Bus {
  return {
    ...bus,
    async publish(events) {
      if (events.some(({ type }) => type === 'order.created')) reach('event about to be published')
      await bus.publish(events)
      if (events.some(({ type }) => type === 'order.created')) reach('event published')
    },
  }
}

/** The factories to wrap, by the end of their module's path. */
const wrapped: Record<string, Record<string, string>> = {
  'subgraphs/orders/store.ts': { createOrdersStore: 'wrapStore' },
  'subgraphs/orders/grpc.ts': { createUsersClient: 'wrapUsers', createProductsClient: 'wrapProducts' },
  'platform/bus/postgres.ts': { createPostgresBus: 'wrapBus' },
  'platform/bus/kafka.ts': { createKafkaBus: 'wrapBus' },
}

if (process.env.CRASH_FILE) {
  registerHooks({
    load(url, context, next) {
      const factories = Object.entries(wrapped).find(([path]) => url.endsWith(path))?.[1]
      if (!factories) return next(url, context)
      const original = JSON.stringify(`${url}?original`)
      const lines = Object.entries(factories).map(
        ([factory, wrap]) => `export const ${factory} = (...args) => wraps.${wrap}(original.${factory}(...args))`,
      )
      const source = [
        `import * as original from ${original}`,
        `import * as wraps from ${JSON.stringify(import.meta.url)}`,
        `export * from ${original}`,
        ...lines,
      ].join('\n')
      return { format: 'module', source, shortCircuit: true }
    },
  })
}
