import { z } from 'zod'

/** A kind of event. */
export type EventDefinition<Type extends string = string, Data extends z.ZodType = z.ZodType> = {
  /** CloudEvents `type`. */
  readonly type: Type
  /** The topic it travels on: the name of the service that emits it. */
  readonly topic: string
  /** The field of the body whose value is the key: events with one key keep their order. */
  readonly key: string
  /** What has happened when it is told. */
  readonly summary: string
  /** Parses the body. Unknown fields are dropped, so that a newer sender does no harm. */
  readonly data: Data
  /** A body with invented values, as the emitting service writes it today. */
  readonly example: z.input<Data>
  /** An event of this kind, to be put in the outbox. */
  of(data: z.input<Data>): NewEvent
}

/** An event that has happened but has no id yet. */
export type NewEvent = {
  readonly type: string
  readonly topic: string
  /** The id whose events keep their order among each other. */
  readonly key: string
  readonly data: object
}

export type EventData<Definition> = Definition extends EventDefinition<string, infer Data> ? z.output<Data> : never

export function defineEvent<
  Type extends string,
  Key extends string,
  Data extends z.ZodType<object, Record<Key, string>>,
>(
  type: Type,
  about: { topic: string; key: Key; summary: string; data: Data; example: z.input<Data> },
): EventDefinition<Type, Data> {
  const { topic, key } = about
  return { type, ...about, of: (input) => ({ type, topic, key: input[key], data: input }) }
}

export const money = z
  .object({
    amount: z.int().nonnegative().describe('Minor units of the currency.'),
    currency: z.string().length(3).describe('ISO 4217.'),
  })
  .describe('An amount of money.')
