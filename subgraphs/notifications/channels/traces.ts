import { currentContext } from '#platform/context.ts'
import { failWith, resume } from '#platform/telemetry/span.ts'
import type { ChannelName } from '../domain/channel.ts'

type Attempt = { id: string; channel: ChannelName; attempt: number; traceparent: string | null }

/** Each attempt at a delivery as a span, in the trace of the event that the delivery tells of. */
export const traces = {
  here: () => currentContext()?.traceparent,
  resume<T>(
    { id, channel, attempt, traceparent }: Attempt,
    work: (failed: (error: unknown) => void) => Promise<T>,
  ): Promise<T> {
    const attributes = { 'notification.channel': channel, 'notification.delivery': id, 'notification.attempt': attempt }
    const left = { traceparent: traceparent ?? undefined }
    return resume(left, `deliver ${channel}`, { kind: 'CLIENT', attributes }, (span) =>
      work((error) => failWith(span, error)),
    )
  },
}
