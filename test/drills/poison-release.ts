/**
 * Loaded into the notifications process before its own code (`--import`): wraps the event log, so that the process is a
 * release that gives up some user.updated and cannot read amounts that are text, until the file named by FIXED_RELEASE is
 * there: that one can. The code under test knows nothing of it.
 */
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import type { Bus, BusEvent, EventHandler } from '#platform/bus/bus.ts'
import { PoisonError } from '#platform/bus/handlers.ts'

/** The name that the first release cannot stand. */
export const unbearable = 'Poison'

const fixed = existsSync(process.env.FIXED_RELEASE ?? '')

export function wrapBus(bus: Bus): Bus {
  return {
    ...bus,
    subscribe: (options) => bus.subscribe({ ...options, handlers: options.handlers.map(fixed ? mended : faulty) }),
  }
}

function faulty(handler: EventHandler): EventHandler {
  return {
    ...handler,
    async handle(event) {
      if (nameOf(event) === unbearable) throw new PoisonError('a fault of this release')
      await handler.handle(event)
    },
  }
}

function mended(handler: EventHandler): EventHandler {
  return { ...handler, handle: (event) => handler.handle({ ...event, data: withNumbers(event.data) }) }
}

function nameOf({ type, data }: BusEvent): unknown {
  return type === 'user.updated' ? (data as { name?: unknown }).name : undefined
}

/** Amounts of money that are text become numbers. */
function withNumbers(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data), (name, value) => (name === 'amount' ? Number(value) : value))
}

if (process.env.FIXED_RELEASE) {
  const factories: Record<string, string> = {
    'platform/bus/postgres.ts': 'createPostgresBus',
    'platform/bus/kafka.ts': 'createKafkaBus',
  }
  registerHooks({
    load(url, context, next) {
      const factory = Object.entries(factories).find(([path]) => url.endsWith(path))?.[1]
      if (!factory) return next(url, context)
      const original = JSON.stringify(`${url}?original`)
      const source = [
        `import * as original from ${original}`,
        `import { wrapBus } from ${JSON.stringify(import.meta.url)}`,
        `export * from ${original}`,
        `export const ${factory} = (...args) => wrapBus(original.${factory}(...args))`,
      ].join('\n')
      return { format: 'module', source, shortCircuit: true }
    },
  })
}
