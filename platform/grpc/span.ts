import type { ServiceDefinition } from '@grpc/grpc-js'
import type { SpanOptions } from '../telemetry/span.ts'

/** The span of an RPC, named by its full method. https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans */
export function rpcSpan(
  service: ServiceDefinition,
  method: string,
  kind: 'CLIENT' | 'SERVER',
  peer: string,
): SpanOptions & { name: string } {
  const name = service[method]?.path.slice(1) ?? method
  return { name, kind, attributes: { 'rpc.system.name': 'grpc', 'rpc.method': name, 'service.peer.name': peer } }
}
