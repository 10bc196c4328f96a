import { isIPv6 } from 'node:net'
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { ReflectionService } from '@grpc/reflection'
import { HealthImplementation } from 'grpc-health-check'
import { childOf, readTrace, runWithContext } from '../context.ts'
import { hasCode, ServiceError } from '../errors.ts'
import type { Mask } from '../mask.ts'
import type { Metrics } from '../metrics.ts'
import type { Principal } from '../principal.ts'
import { endWith, enter } from '../telemetry/span.ts'
import { createRpcMeter } from './meters.ts'
import { loadContract, type Rpcs } from './service.ts'
import { rpcPath, rpcSpan } from './span.ts'
import { CallerRefused, toRpcError } from './status.ts'

/** One RPC: who may call it, and what it does. */
export type Rpc<Input, Output> = {
  /** The services that may call it. Others get PERMISSION_DENIED. */
  readonly callers: readonly string[]
  readonly handle: (input: Input, call: RpcCall) => Promise<Output>
}

export type RpcCall = {
  /** The calling service. */
  readonly caller: string
  /** The user behind the call, as the gateway vouched. Throws UNAUTHENTICATED where there is none. */
  principal(): Promise<Principal>
}

/** The handlers of a service, one for each of its RPCs. */
export type RpcHandlers<Definition> = {
  readonly [Name in keyof Rpcs<Definition>]: Rpc<
    Rpcs<Definition>[Name]['parsedInput'],
    Rpcs<Definition>[Name]['output']
  >
}

export type GrpcServerOptions = {
  /** Returns the calling service's name. Throws UNAUTHENTICATED. */
  verifyCaller: (token: string | undefined) => Promise<string>
  verifyPrincipal: (token: string | undefined) => Promise<Principal>
  mask: Mask
  metrics?: Metrics
  /** Milliseconds that a stop waits for calls under way. Watches of the health never end by themselves. Default 5000. */
  drainLimit?: number
}

/**
 * A gRPC server for peers: every call proves which service it comes from, what its caller no longer waits for is not begun,
 * and what it calls in turn ends at its caller's deadline. Whether it serves is told to anybody, as the standard has it:
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function createGrpcServer({
  verifyCaller,
  verifyPrincipal,
  mask,
  metrics,
  drainLimit = 5_000,
}: GrpcServerOptions) {
  const measured = createRpcMeter(metrics, 'server')
  const server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024 })
  const health = new HealthImplementation({ '': 'NOT_SERVING' })
  health.addToServer(server)

  function unary<Input, Output>(path: string, { callers, handle }: Rpc<Input, Output>) {
    return (call: ServerUnaryCall<Input, Output>, answer: sendUnaryData<Output>): void => {
      const principalToken = text(call.metadata, 'x-principal')
      const requestId = text(call.metadata, 'x-request-id')
      const deadline = Number(call.getDeadline())
      const place = readTrace({
        traceparent: texts(call.metadata, 'traceparent'),
        tracestate: texts(call.metadata, 'tracestate'),
      })
      const context = {
        ...childOf(place, false),
        ...(requestId && { requestId }),
        ...(principalToken && { principalToken }),
        ...(Number.isFinite(deadline) && { deadline }),
      }
      async function carryOut(): Promise<Output> {
        const caller = await verifyCaller(text(call.metadata, 'authorization')?.replace(/^Bearer /, '')).catch(refuse)
        if (!callers.includes(caller)) throw new CallerRefused('FORBIDDEN', `${caller} may not call this.`)
        if (call.cancelled || Date.now() >= deadline)
          throw new ServiceError('SUBGRAPH_TIMEOUT', 'Nobody waits for this.')
        // Recorded only for a caller who proved to be one of us.
        const { trace, span } = enter(place, path, rpcSpan(path, 'SERVER', caller))
        const work = () => handle(call.request, { caller, principal: () => verifyPrincipal(principalToken) })
        return endWith(span, runWithContext({ ...context, ...trace }, work))
      }
      const masked = (error: unknown) => {
        throw mask(error)
      }
      void runWithContext(context, async () => {
        try {
          answer(null, await measured(path, () => carryOut().catch(masked)))
        } catch (error) {
          answer(toRpcError(mask(error)))
        }
      })
    }
  }

  return {
    add<Definition extends ServiceDefinition>(service: Definition, handlers: RpcHandlers<Definition>): void {
      const implementation: UntypedServiceImplementation = {}
      for (const [name, rpc] of Object.entries<Rpc<unknown, unknown>>(handlers))
        implementation[name] = unary(rpcPath(service, name), rpc)
      server.addService(service, implementation)
    },
    /**
     * Lets anybody who reaches the server learn a contract, such as `users`. For development: it asks for no token.
     * https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
     */
    reflect(contract: string): void {
      new ReflectionService(loadContract(contract)).addToServer(server)
    },
    /** What the server says of itself to those who ask for its health. It does not serve until it is told to. */
    setServing(serving: boolean): void {
      health.setStatus('', serving ? 'SERVING' : 'NOT_SERVING')
    },
    /** Listens and returns the port. */
    listen(host: string, port: number): Promise<number> {
      const address = isIPv6(host) ? `[${host}]` : host
      return new Promise((resolve, reject) => {
        server.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        )
      })
    },
    /** Takes no new calls and waits for those under way, as long as they may take. */
    close(): Promise<void> {
      health.setStatus('', 'NOT_SERVING')
      return new Promise((resolve) => {
        const cut = setTimeout(() => server.forceShutdown(), drainLimit)
        server.tryShutdown(() => {
          clearTimeout(cut)
          resolve()
        })
      })
    },
  }
}

export type GrpcServer = ReturnType<typeof createGrpcServer>

function refuse(error: unknown): never {
  throw hasCode(error, 'UNAUTHENTICATED') ? new CallerRefused(error.code, error.message, {}, { cause: error }) : error
}

function text(metadata: Metadata, key: string): string | undefined {
  return texts(metadata, key)[0]
}

function texts(metadata: Metadata, key: string): string[] {
  return metadata.get(key).filter((value) => typeof value === 'string')
}
