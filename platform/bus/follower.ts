import type { Log } from '../log.ts'
import type { EventHandler } from './bus.ts'
import { fromRecord, type LogRecord } from './cloudevents.ts'

/**
 * Hears every event of the log from now on. Unlike a member of a group it shares them with nobody, and nothing is kept of how
 * far it came: it is for what a process has in its memory, which is gone with it.
 */
export type Follower = {
  /** Milliseconds since everything that was in the log had been heard. Infinity: that never was so, or is so no more. */
  silence(): number
  stop(): Promise<void>
}

export type FollowOptions = {
  /** What is done with which events. Other events on the same topics are passed over. */
  handlers: readonly EventHandler[]
  /** Events may have been missed until now, or one does not parse. */
  onGap: () => void
  log: Log
}

/** Milliseconds that the log is asked to wait for news before it answers that there are none. */
export const followInterval = 200

/** Shows a record to whom it concerns. What nobody can make sense of may be of anything. */
export async function hear(topic: string, record: LogRecord, { handlers, onGap, log }: FollowOptions): Promise<void> {
  try {
    const event = fromRecord(topic, record)
    const concerned = handlers.filter((handler) => handler.topic === topic && handler.type === event.type)
    for (const handler of concerned) await handler.handle(event)
  } catch (error) {
    log.warn('an event is not understood', { topic, error })
    onGap()
  }
}
