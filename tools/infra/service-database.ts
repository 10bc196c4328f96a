import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditSettings } from '#platform/audit.ts'
import { databaseUrl } from '#platform/database/url.ts'
import { readEnv } from '#platform/env.ts'
import { databaseVariable, type ServiceName } from '../services.ts'
import { dataFolder, readyShop } from './run-file.ts'
import { readPrivate, type Secrets } from './secrets.ts'

/** The URLs of the databases that variables name, or files by `NAME_FILE`. Throws, with every fault, where one is no URL. */
export function namedDatabases<Name extends ServiceName | 'events'>(
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const urls = readEnv(Object.fromEntries(names.map((name) => [databaseVariable(name), databaseUrl.optional()])))
  return Object.fromEntries(names.map((name) => [name, urls[databaseVariable(name)]])) as Partial<Record<Name, string>>
}

/** The URL of a service's database, or of the embedded event log's: the one that its variable names, else that of the running development shop. Throws without. */
export function serviceDatabase(service: ServiceName | 'events'): string {
  const variable = databaseVariable(service)
  const named = namedDatabases([service])[service]
  if (named) return named
  const known = readPrivate<Secrets>(join(dataFolder, 'secrets.json'))
  if (!known) throw new Error(`Name the database: ${variable}. Or start the shop with npm start.`)
  const { postgres } = readyShop(dataFolder)
  if (!postgres) throw new Error(`Name the database: ${variable}. The running shop has none of its own.`)
  // The fourth line. https://www.postgresql.org/docs/current/storage-file-layout.html
  const port = readFileSync(join(postgres, 'postmaster.pid'), 'utf8').split('\n')[3]
  return `postgres://${service}:${encodeURIComponent(known.databases[service] ?? '')}@127.0.0.1:${port}/${service}`
}

/**
 * Where the audit log of what is done to a service's database goes: the file that AUDIT_LOG names, else that of the running
 * development shop, where the database is its own. Undefined for standard error.
 */
export function auditLogFor(service: ServiceName): string | undefined {
  const named = readEnv(auditSettings).AUDIT_LOG
  return named ?? (namedDatabases([service])[service] ? undefined : readyShop(dataFolder).auditLog)
}

/** What went wrong with a database, with the variable that names it. */
export function failureOf(service: ServiceName, error: unknown): Error {
  const { message, code } = error as NodeJS.ErrnoException
  return new Error(`${databaseVariable(service)}: ${message || code}`, { cause: error })
}
