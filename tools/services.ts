import { join } from 'node:path'

/** The repository's folder. */
export const root = join(import.meta.dirname, '..')

/** The services of the shop, in the order they are listed. Ports are those of development. */
export const services = {
  users: { port: 4001, grpcPort: 50051 },
  products: { port: 4002, grpcPort: 50053 },
  orders: { port: 4003, grpcPort: 50052 },
  payments: { port: 4004, grpcPort: 50054 },
  notifications: { port: 4005, grpcPort: 50055 },
} as const satisfies Record<string, { port: number; grpcPort: number }>

export type ServiceName = keyof typeof services

export const serviceNames = Object.keys(services) as ServiceName[]

/** The variable that holds the URL of a service's database, or of the embedded event log's. */
export function databaseVariable(name: ServiceName | 'events'): string {
  return `${name.toUpperCase()}_DATABASE_URL`
}

export function migrationsFolder(service: ServiceName): string {
  return join(root, 'prisma', service, 'migrations')
}
