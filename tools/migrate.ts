/** `npm run migrate`: brings every database that a variable names to its newest migration. Services also do so at start. */
import { migrate } from '#platform/database/migrate.ts'
import { silentLog as log } from '#platform/log.ts'
import { databaseVariable, migrationsFolder, serviceNames } from './services.ts'

const named = serviceNames.filter((service) => process.env[databaseVariable(service)])
if (named.length === 0) {
  console.error(`Name the databases: ${serviceNames.map(databaseVariable).join(', ')}. npm start migrates its own.`)
  process.exit(1)
}
for (const service of named) {
  const applied = await migrate({
    url: process.env[databaseVariable(service)] ?? '',
    folder: migrationsFolder(service),
    log,
  })
  console.log(`${service.padEnd(14)} ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'nothing to apply'}`)
}
