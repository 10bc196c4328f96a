import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type requestCallback,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { currentContext, timeLeft } from '../context.ts'
import { timedOut } from '../mask.ts'
import type { Rpcs } from './service.ts'
import { fromRpcError } from './status.ts'

/** Milliseconds that a call may take where it says nothing else, unless the caller's own deadline is nearer. */
const callLimit = 2_000
/** Milliseconds between attempts to reach an instance that is away. Calls fail at once meanwhile. */
const longestReconnect = 250

/** A peer's RPCs as functions. They throw ServiceError: the peer's refusal, or SUBGRAPH_UNAVAILABLE or SUBGRAPH_TIMEOUT. */
export type Peer<Definition> = {
  readonly [Name in keyof Rpcs<Definition> as Uncapitalize<Name & string>]: (
    input: Rpcs<Definition>[Name]['input'],
    options?: CallOptions,
  ) => Promise<Rpcs<Definition>[Name]['parsedOutput']>
}

export type CallOptions = {
  /** For what must be done although the caller may have gone: the call has its own limit only. */
  whateverTheDeadline?: boolean
  /** Milliseconds that the call may take. Default 2000. */
  limit?: number
}

export type PeerOptions<Definition> = {
  /** The peer's name: the audience of the service token. */
  name: string
  service: Definition
  /** `host:port` of each of its instances; calls go to them in turn. */
  addresses: readonly string[]
  /** A token that proves to `name` who calls. */
  serviceToken: (audience: string) => Promise<string>
}

export function createPeer<Definition extends ServiceDefinition>(options: PeerOptions<Definition>) {
  const { name, service, addresses, serviceToken } = options
  const ClientOfService = makeGenericClientConstructor(service, name)
  const channel = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': longestReconnect }
  const clients = addresses.map((address) => new ClientOfService(address, credentials.createInsecure(), channel))
  let turn = 0

  async function call(
    method: string,
    input: unknown,
    { whateverTheDeadline = false, limit = callLimit }: CallOptions = {},
  ): Promise<unknown> {
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${await serviceToken(name)}`)
    const context = currentContext()
    if (context) metadata.set('traceparent', context.traceparent)
    if (context?.tracestate) metadata.set('tracestate', context.tracestate)
    if (context?.requestId) metadata.set('x-request-id', context.requestId)
    if (context?.principalToken) metadata.set('x-principal', context.principalToken)
    const time = whateverTheDeadline ? limit : timeLeft(limit)
    if (time <= 0) throw timedOut(name)
    const client = clients[turn++ % clients.length] as Client & Record<string, UnaryCall>
    return new Promise((resolve, reject) => {
      const send = client[method]
      if (!send) throw new Error(`${name} has no RPC ${method}.`)
      send.call(client, input, metadata, { deadline: Date.now() + time }, (error, output) => {
        if (error) reject(fromRpcError(name, error))
        else resolve(output)
      })
    })
  }

  const rpcs = Object.fromEntries(
    Object.keys(service).map((method) => {
      const property = `${method.charAt(0).toLowerCase()}${method.slice(1)}`
      return [property, (input: unknown, options?: CallOptions) => call(method, input, options)]
    }),
  )
  return {
    rpcs: rpcs as Peer<Definition>,
    /** Rejects when no instance can be reached. */
    check: () =>
      Promise.any(
        clients.map(
          (client) =>
            new Promise<void>((resolve, reject) =>
              client.waitForReady(Date.now() + 1_000, (error) => (error ? reject(error) : resolve())),
            ),
        ),
      ),
    close: () => {
      for (const client of clients) client.close()
    },
  }
}

type UnaryCall = (
  input: unknown,
  metadata: Metadata,
  options: { deadline: number },
  callback: requestCallback<unknown>,
) => void
