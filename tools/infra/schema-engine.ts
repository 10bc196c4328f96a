import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import { SchemaEngine } from '@prisma/schema-engine-wasm'
import pg from 'pg'

/**
 * The SQL that turns the database of one Prisma schema into that of another. `from` is absent for an empty database.
 * The engine compares text; it asks for the URL of a database all the same.
 */
export async function schemaDifference(url: string, from: string | undefined, to: string): Promise<string> {
  const pool = new pg.Pool({ connectionString: url })
  const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool))
  const engine = await SchemaEngine.new({ datamodels: [['schema.prisma', to]] }, () => {}, adapter)
  const side = (content: string) => ({ tag: 'schemaDatamodel' as const, files: [{ path: 'schema.prisma', content }] })
  const { stdout } = await engine.diff({
    from: from === undefined ? { tag: 'empty' } : side(from),
    to: side(to),
    script: true,
    filters: { externalTables: [], externalEnums: [] },
    exitCode: null,
  })
  await pool.end()
  return stdout ?? ''
}
