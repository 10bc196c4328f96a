import { randomUUID } from 'node:crypto'
import type { Message } from '../../domain/channel.ts'

/** A message, for tests. */
export function message(changes: Partial<Message> = {}): Message {
  return {
    id: randomUUID(),
    title: 'Your order is placed',
    body: 'Grüße — your order is placed.',
    html: '<p>Grüße — your order is <b>placed</b>.</p>',
    short: 'Order placed.',
    createdAt: new Date('2026-03-01T12:00:00Z'),
    ...changes,
  }
}

/** A signal that is never given. */
export const noSignal = new AbortController().signal
