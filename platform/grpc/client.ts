import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError as RpcError,
  type requestCallback,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import type { MethodOptions } from '@grpc/proto-loader'
import type { Addresses, Policy } from '../balancer.ts'
import type { Breaker } from '../breaker.ts'
import { currentContext, timeLeft } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { createFailover } from '../failover.ts'
import { callThrough, confirming } from '../guard.ts'
import type { Log } from '../log.ts'
import { timedOut, unavailable } from '../mask.ts'
import { inSpan } from '../telemetry/span.ts'
import { connected, NotConnected, rpcFailure, serving } from './instance.ts'
import type { RpcMeter } from './meters.ts'
import type { Rpcs } from './service.ts'
import { rpcPath, rpcSpan } from './span.ts'
import { fromRpcError, isCallerRefusal } from './status.ts'

/** Milliseconds between attempts to reach an instance that is away. Calls fail at once meanwhile. */
const longestReconnect = 250
/** Milliseconds that an instance has to be reached in a check, and to say that it serves. */
const checkLimit = 1_000

/**
 * A peer's RPCs as functions. They throw ServiceError: the peer's refusal, or SUBGRAPH_UNAVAILABLE or SUBGRAPH_TIMEOUT. A peer that
 * refuses this service, and not the user behind the call, is SUBGRAPH_UNAVAILABLE: no fault of the user's, and none for ever.
 */
export type Peer<Definition> = {
  readonly [Name in keyof Rpcs<Definition> as Uncapitalize<Name & string>]: (
    input: Rpcs<Definition>[Name]['input'],
    options?: CallOptions,
  ) => Promise<Rpcs<Definition>[Name]['parsedOutput']>
}

export type CallOptions = {
  /** For what must be done although the caller may have gone: the call has its own limit only. */
  whateverTheDeadline?: boolean
  /** Milliseconds that the call may take. Default: those of the peer. */
  limit?: number
}

export type PeerOptions<Definition> = {
  /** The peer's name: the audience of the service token. */
  name: string
  service: Definition
  /** `host:port` of each of its instances. */
  addresses: Addresses
  /** How calls are shared among them. Default round-robin. */
  policy?: () => Policy
  /** Milliseconds that a call may take where it says nothing else. Default 2000. */
  limit?: number
  /** A token that proves to `name` who calls. */
  serviceToken: (audience: string) => Promise<string>
  /** What calls go through. Absent: all are made. */
  breaker?: Breaker
  /** Measures calls, refused ones too. */
  meter?: RpcMeter
  /** Told of each instance that refuses this service. */
  log?: Log
}

/**
 * Calls a peer at one of its instances and, when that fails on the way, once more: an RPC whose contract says that a repeat
 * does no harm always, another one only when nothing was sent.
 */
export function createPeer<Definition extends ServiceDefinition>(options: PeerOptions<Definition>) {
  const { name, service, addresses, policy, limit: callLimit = 2_000, serviceToken, breaker, log } = options
  const { meter = (_method, made) => made() } = options
  const ClientOfService = makeGenericClientConstructor(service, name)
  const channel = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': longestReconnect }
  const failover = createFailover({
    addresses,
    ...(policy && { policy }),
    open: (address) => new ClientOfService(address, credentials.createInsecure(), channel),
    close: (client) => client.close(),
    failureOf: rpcFailure,
    noInstance: () => unavailable(name),
  })

  const call = (method: string, input: unknown, options: CallOptions = {}): Promise<unknown> => {
    const path = rpcPath(service, method)
    return inSpan(path, rpcSpan(path, 'CLIENT', name), () => attempts(method, input, options))
  }

  async function attempts(
    method: string,
    input: unknown,
    { whateverTheDeadline = false, limit = callLimit }: CallOptions,
  ): Promise<unknown> {
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${await serviceToken(name)}`)
    const context = currentContext()
    if (context) metadata.set('traceparent', context.traceparent)
    if (context?.tracestate) metadata.set('tracestate', context.tracestate)
    if (context?.requestId) metadata.set('x-request-id', context.requestId)
    if (context?.principalToken) metadata.set('x-principal', context.principalToken)
    const end = Date.now() + (whateverTheDeadline ? limit : timeLeft(limit))
    const left = () => end - Date.now()
    try {
      return await failover.call(
        async (client) => {
          if (left() <= 0) throw timedOut(name)
          await connected(client, left())
          const sent = send(client as Client & Record<string, UnaryCall>, method, input, metadata.clone(), end)
          return sent.catch((error: RpcError) => {
            if (isCallerRefusal(error)) {
              const { code, details: reason } = error
              log?.error('peer refuses this service', {
                peer: name,
                method,
                instance: client.getChannel().getTarget(),
                code,
                reason,
              })
            }
            throw error
          })
        },
        { repeatable: isRepeatable(service, method), timeLeft: left },
      )
    } catch (error) {
      if (error instanceof ServiceError) throw error
      throw error instanceof NotConnected ? unavailable(name, error) : fromRpcError(name, error as RpcError)
    }
  }

  async function guarded(method: string, input: unknown, options: CallOptions = {}): Promise<unknown> {
    if (!breaker) return call(method, input, options)
    const { whateverTheDeadline = false, limit = callLimit } = options
    const time = whateverTheDeadline ? limit : timeLeft(limit)
    return callThrough({ name, breaker, time }, () => call(method, input, options))
  }

  async function checkInstance(client: Client): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + checkLimit, (error) => (error ? reject(error) : resolve()))
    })
    // A peer without its database takes connections, and calls would fail all the same.
    if (breaker && breaker.state !== 'closed') await serving(client, checkLimit)
  }

  const check = () => Promise.any(failover.targets().map(checkInstance))

  const rpcs = Object.fromEntries(
    Object.keys(service).map((method) => {
      const property = `${method.charAt(0).toLowerCase()}${method.slice(1)}`
      const path = rpcPath(service, method)
      return [property, (input: unknown, options?: CallOptions) => meter(path, () => guarded(method, input, options))]
    }),
  )
  return {
    rpcs: rpcs as Peer<Definition>,
    /** Rejects when no instance can be reached, or, while the breaker is not closed, says that it serves. */
    check: breaker ? confirming(breaker, check) : check,
    /** Resolves when the calls under way have ended. */
    close: failover.close,
  }
}

/** Whether the contract says that a repeat does no harm. */
function isRepeatable(service: ServiceDefinition, method: string): boolean {
  const { options } = service[method] as { options?: MethodOptions }
  return options !== undefined && options.idempotency_level !== 'IDEMPOTENCY_UNKNOWN'
}

function send(
  client: Client & Record<string, UnaryCall>,
  method: string,
  input: unknown,
  metadata: Metadata,
  deadline: number,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client[method]?.(input, metadata, { deadline }, (error, output) => (error ? reject(error) : resolve(output)))
  })
}

type UnaryCall = (
  input: unknown,
  metadata: Metadata,
  options: { deadline: number },
  callback: requestCallback<unknown>,
) => void
