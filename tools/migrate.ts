/** `npm run migrate`: brings every database that a variable names to its newest migration. Services also do so at start. */
import { migrate } from '#platform/database/migrate.ts'
import { readVariable } from '#platform/env.ts'
import { silentLog as log } from '#platform/log.ts'
import { databaseVariable, migrationsFolder, serviceNames } from './services.ts'

const named = serviceNames.flatMap((service) => {
  const url = readVariable(databaseVariable(service))
  return url ? [{ service, url }] : []
})
if (named.length === 0) {
  console.error(`Name the databases: ${serviceNames.map(databaseVariable).join(', ')}. npm start migrates its own.`)
  process.exit(1)
}
for (const { service, url } of named) {
  const applied = await migrate({ url, folder: migrationsFolder(service), log })
  console.log(`${service.padEnd(14)} ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'nothing to apply'}`)
}
