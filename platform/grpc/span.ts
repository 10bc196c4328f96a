import type { ServiceDefinition } from '@grpc/grpc-js'
import type { SpanOptions } from '../telemetry/span.ts'

/** What an RPC is called in spans and metrics: `products.v1.ProductService/ReserveStock`. */
export function rpcPath(service: ServiceDefinition, method: string): string {
  return service[method]?.path.slice(1) ?? method
}

/** The span of an RPC, whose name is its path. https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans */
export function rpcSpan(path: string, kind: 'CLIENT' | 'SERVER', peer: string): SpanOptions {
  return { kind, attributes: { 'rpc.system.name': 'grpc', 'rpc.method': path, 'service.peer.name': peer } }
}
