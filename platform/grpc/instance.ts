import {
  type Client,
  connectivityState,
  credentials,
  makeGenericClientConstructor,
  type ServiceError as RpcError,
  status,
} from '@grpc/grpc-js'
import { service as healthService } from 'grpc-health-check'
import { ServiceError } from '../errors.ts'
import type { Failure } from '../failover.ts'
import { isCallerRefusal, isCutOff, isRefusal } from './status.ts'

/** Milliseconds that a connection may take to be made. */
const connectLimit = 1_000

/** There was no connection to an instance: nothing was sent to it. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected'
}

/** An instance says that it cannot work now. */
class NotServing extends Error {
  override readonly name = 'NotServing'
}

/**
 * Waits until an instance is connected. Rejects with NotConnected as soon as an attempt to connect has failed.
 */
export async function connected(client: Client, time: number): Promise<void> {
  const channel = client.getChannel()
  const deadline = Date.now() + Math.min(time, connectLimit)
  for (;;) {
    const state = channel.getConnectivityState(true)
    if (state === connectivityState.READY) return
    const failed = state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN
    if (failed || Date.now() >= deadline) throw new NotConnected(`no connection to ${channel.getTarget()}`)
    await new Promise<void>((resolve) => channel.watchConnectivityState(state, deadline, () => resolve()))
  }
}

/**
 * Whether gRPC failed a call for want of a connection: one that was there when the call was made, and ended before the call was
 * sent. That is how it goes when an instance stops. gRPC passes on no mark of it but these words, of its own making, with no
 * metadata, as an answer would have. Were they others, the failure would stand as one of a call that may have been sent.
 */
function wasNotSent({ code, details, metadata }: RpcError): boolean {
  const isLocal = Object.keys(metadata?.getMap() ?? {}).length === 0
  return code === status.UNAVAILABLE && isLocal && details.startsWith('No connection established')
}

const HealthClient = makeGenericClientConstructor(healthService, 'Health')

/**
 * Asks an instance whether it serves. Rejects when it says that it does not, or nothing in time. One that does not have the
 * standard's service for it serves. https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function serving(client: Client, time: number): Promise<void> {
  const channel = client.getChannel()
  const health = new HealthClient(channel.getTarget(), credentials.createInsecure(), { channelOverride: channel })
  return new Promise((resolve, reject) => {
    const onAnswer = (error: RpcError | null, answer?: { status: string }) => {
      if (error?.code === status.UNIMPLEMENTED || answer?.status === 'SERVING') resolve()
      else reject(error ?? new NotServing(`${channel.getTarget()} does not serve`))
    }
    health.check?.({ service: '' }, { deadline: Date.now() + time }, onAnswer)
  })
}

/**
 * Why a call failed. A refusal of the peer's own is an answer, also when it says that something is not available. An instance that
 * does not take us for who we are is as good as one that cannot be reached: another one may have the right keys.
 */
export function rpcFailure(error: unknown): Failure {
  if (error instanceof NotConnected) return 'refused'
  if (error instanceof ServiceError) return 'ended'
  const rpcError = error as RpcError
  if (isRefusal(rpcError)) return 'answered'
  if (wasNotSent(rpcError) || isCallerRefusal(rpcError)) return 'refused'
  if (isCutOff(rpcError)) return 'broken'
  return rpcError.code === status.DEADLINE_EXCEEDED ? 'ended' : 'answered'
}
