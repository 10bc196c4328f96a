/**
 * Writes the migration that a changed `prisma/<service>/schema.prisma` asks for, to be read and completed by hand:
 *
 *   npx node tools/draft-migration.ts <service> <name>
 *
 * It compares the schema that is committed with the one in the working tree.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { schemaDifference } from './infra/schema-engine.ts'
import { startTemporaryPostgres } from './infra/temporary-postgres.ts'
import { migrationsFolder, root, type ServiceName, serviceNames } from './services.ts'

const [service, name] = process.argv.slice(2)
if (!isService(service) || !name || !/^[a-z0-9_]+$/.test(name)) {
  console.error(`Usage: npx node tools/draft-migration.ts <${serviceNames.join('|')}> <name_in_snake_case>`)
  process.exit(1)
}

const path = `prisma/${service}/schema.prisma`
const server = await startTemporaryPostgres()
const sql = await schemaDifference(server.url('postgres'), committed(path), readFileSync(join(root, path), 'utf8'))
server.stop()
const time = new Date().toISOString().replace(/[-:T]/g, '').slice(0, 14)
const folder = join(migrationsFolder(service), `${time}_${name}`)
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'migration.sql'), sql)
console.log(`${folder}/migration.sql`)
process.exit(0)

function isService(value: string | undefined): value is ServiceName {
  return serviceNames.some((known) => known === value)
}

function committed(file: string): string | undefined {
  try {
    return execFileSync('git', ['show', `HEAD:${file}`], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch {
    return undefined
  }
}
