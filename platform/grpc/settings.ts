import { integer } from '../env.ts'

export const callSettings = {
  /** Milliseconds that a call may take, unless the caller's own deadline is nearer. Default 2000. */
  GRPC_TIMEOUT: integer(1, 60_000).default(2_000),
}
