/** A CloudEvents 1.0 event on its way. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
export type BusEvent = {
  /** Identifies the event for good: a repeat has the same id. */
  readonly id: string
  readonly type: string
  readonly topic: string
  /** Events of one topic with one key arrive in the order they were published. */
  readonly key: string
  /** The service that emitted it. */
  readonly source: string
  readonly time: Date
  /** Counts the events of its aggregate, so that a late or replayed one is recognised. CloudEvents `sequence`. */
  readonly sequence: number
  /** W3C Trace Context of the change that it tells of, as it came: not yet checked. CloudEvents distributed tracing. */
  readonly traceparent?: string
  readonly tracestate?: string
  readonly data: unknown
}

/**
 * The event log. Two implementations, one contract (test/contract/bus.ts):
 * - an event that `publish` acknowledged reaches every group, at least once;
 * - events with one key reach a group in the order they were published, one after the other;
 * - an event counts as delivered to a group when its handler returned, not before;
 * - members of one group share its events; a member that dies leaves its share to the others;
 * - poison goes to the dead-letter topic of its group with the reason, and the rest flows (platform/bus/delivery.ts).
 */
export type Bus = {
  /** Resolves when every event is stored for good. Rejects otherwise; some may be stored all the same. */
  publish(events: readonly BusEvent[]): Promise<void>
  /** Joins a group, and goes on trying to when the log is away. A new group starts with the oldest event there is. */
  subscribe(options: SubscribeOptions): Subscription
  /** Rejects when the log cannot be reached. */
  check(): Promise<unknown>
  /** Stops every subscription and publishes no more. */
  close(): Promise<void>
}

/** What a service does with one kind of event. */
export type EventHandler = {
  readonly type: string
  readonly topic: string
  /** Parses and handles. Throws PoisonError when the body does not parse. */
  handle(event: BusEvent): Promise<void>
}

export type SubscribeOptions = {
  /** The group's name: that of the consuming service. */
  group: string
  /** What is done with which events. Other events on the same topics are passed over. */
  handlers: readonly EventHandler[]
}

/** One member of a group. */
export type Membership = {
  /** Resolves when this member first has its share of the partitions. */
  readonly joined: Promise<void>
  /** Finishes the event at hand, leaves the group and leaves the rest to others. */
  stop(): Promise<void>
}

export type Subscription = Membership & {
  /** How many records the group, all members together, has still to handle. Rejects when the log does not tell. */
  lag(): Promise<Lag[]>
}

export type Lag = { topic: string; records: number }

/** Partitions of every topic. */
export const partitionCount = 12

/** Days that records are kept. */
export const keptDays = { topics: 7, deadLetters: 30 } as const

/** Where a group's poison goes. */
export function deadLetterTopic(topic: string, group: string): string {
  return `${topic}.${group}.dlq`
}

export function isDeadLetterTopic(topic: string): boolean {
  return topic.endsWith('.dlq')
}
