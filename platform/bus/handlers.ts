import type { z } from 'zod'
import type { BusEvent, EventHandler } from './bus.ts'

/** What `contracts/events.ts` says of a kind of event. */
type Definition<Data extends z.ZodType> = { readonly type: string; readonly topic: string; readonly data: Data }

/** An event that no repeat will ever make sense of. */
export class PoisonError extends Error {
  override readonly name = 'PoisonError'
}

/** Binds a kind of event to a use case. */
export function on<Data extends z.ZodType>(
  definition: Definition<Data>,
  handle: (event: BusEvent & { data: z.output<Data> }) => Promise<void>,
): EventHandler {
  return {
    type: definition.type,
    topic: definition.topic,
    async handle(event) {
      const parsed = definition.data.safeParse(event.data)
      if (!parsed.success) {
        // Paths and rules, not values: a dead letter's reason is shown in logs.
        const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`)
        throw new PoisonError(`${event.type} does not parse: ${faults.join(', ')}`)
      }
      await handle({ ...event, data: parsed.data })
    },
  }
}
