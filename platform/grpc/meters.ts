import { ServiceError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'

/** Measures RPCs at one end. Methods are those of our contracts, codes those of platform/errors.ts. */
export function createRpcMeter(metrics: Metrics | undefined, end: 'client' | 'server') {
  const help = `RPCs, measured by the ${end}.`
  const durations = metrics?.histogram(`rpc_${end}_call_duration_seconds`, help, ['method', 'code'])
  return async function measured<T>(method: string, call: () => Promise<T>): Promise<T> {
    const start = performance.now()
    const observe = (code: string) => durations?.observe({ method, code }, (performance.now() - start) / 1_000)
    try {
      const result = await call()
      observe('OK')
      return result
    } catch (error) {
      observe(error instanceof ServiceError ? error.code : 'INTERNAL_SERVER_ERROR')
      throw error
    }
  }
}

export type RpcMeter = ReturnType<typeof createRpcMeter>
