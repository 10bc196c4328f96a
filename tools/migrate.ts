/** `npm run migrate`: brings every database that a variable names to its newest migration. Services also do so at start. */
import { migrate } from '#platform/database/migrate.ts'
import { silentLog as log } from '#platform/log.ts'
import { optionsOf } from './infra/options.ts'
import { failureOf, namedDatabases } from './infra/service-database.ts'
import { databaseVariable, migrationsFolder, serviceNames } from './services.ts'

optionsOf('npm run migrate', {})
try {
  await main()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const named = namedDatabases(serviceNames)
  if (!serviceNames.some((service) => named[service])) {
    throw new Error(`Name the databases: ${serviceNames.map(databaseVariable).join(', ')}. npm start migrates its own.`)
  }
  for (const service of serviceNames) {
    const url = named[service]
    if (!url) continue
    const applied = await migrate({ url, folder: migrationsFolder(service), log }).catch((error) => {
      throw failureOf(service, error)
    })
    console.log(`${service.padEnd(14)} ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'nothing to apply'}`)
  }
}
