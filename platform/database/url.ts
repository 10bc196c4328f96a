import { z } from 'zod'

/** A PostgreSQL connection URL. */
export const databaseUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' })
