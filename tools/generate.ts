/**
 * Writes `generated/`: a Prisma client per database, resolver types per subgraph, gRPC types.
 * Run by `tools/setup.mjs` when a source changed, or by hand with `npm run generate`.
 */
import { execFile } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { codegen } from '@graphql-codegen/core'
import * as typescript from '@graphql-codegen/typescript'
import * as typescriptResolvers from '@graphql-codegen/typescript-resolvers'
import { parse } from 'graphql'

/** GraphQL types whose resolvers start from a row or a domain value rather than from the finished object. */
const mappers: Record<string, Record<string, string>> = {
  users: {
    User: '../../subgraphs/users/domain/account.ts#User as UserModel',
    AuthPayload: '../../subgraphs/users/domain/account.ts#SignedIn as SignedInModel',
  },
  products: {
    Product: '../../subgraphs/products/domain/catalogue.ts#ReadProduct as ProductModel',
    Category: '../../subgraphs/products/domain/category.ts#Category as CategoryModel',
    ProductConnection: '../../subgraphs/products/service/listing.ts#ProductPage as ProductPageModel',
  },
  orders: {
    Order: '../../subgraphs/orders/domain/order.ts#Order as OrderModel',
    OrderItem: '../../subgraphs/orders/domain/order.ts#OrderLine as OrderLineModel',
    User: '{ id: string }',
    Product: '{ id: string }',
  },
  payments: {
    Payment: '../../subgraphs/payments/domain/payment.ts#Payment as PaymentModel',
    Order: '{ id: string }',
  },
  notifications: {
    Notification: '../../subgraphs/notifications/domain/notification.ts#Notification as NotificationModel',
    User: '{ id: string }',
    Order: '{ id: string }',
  },
}

const exec = promisify(execFile)
const root = dirname(import.meta.dirname)
const services = globSync('prisma/*/schema.prisma', { cwd: root }).map((path) => basename(dirname(path)))

rmSync(join(root, 'generated'), { recursive: true, force: true })
for (const folder of ['prisma', 'graphql', 'grpc']) mkdirSync(join(root, 'generated', folder), { recursive: true })
await Promise.all([...services.map(prismaClient), ...services.map(resolverTypes), grpcTypes()])

async function prismaClient(service: string): Promise<void> {
  // Generating needs no database engine, but the CLI looks for one to download unless it is told of a file.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1' }
  const cli = join(root, 'node_modules/prisma/build/index.js')
  await exec(process.execPath, [cli, 'generate', '--schema', `prisma/${service}/schema.prisma`], { cwd: root, env })
}

async function resolverTypes(service: string): Promise<void> {
  const filename = join(root, `generated/graphql/${service}.ts`)
  const content = await codegen({
    filename,
    schema: parse(withFederation(readFileSync(join(root, `schema/${service}.graphql`), 'utf8'))),
    documents: [],
    plugins: [{ typescript: {} }, { typescriptResolvers: {} }],
    pluginMap: { typescript, typescriptResolvers },
    config: {
      federation: true,
      useTypeImports: true,
      enumsAsTypes: true,
      strictScalars: true,
      scalars: { DateTime: { input: 'Date', output: 'Date' }, _FieldSet: 'string', _Scope: 'string' },
      contextType: `../../subgraphs/${service}/loaders.ts#Context`,
      mappers: mappers[service] ?? {},
    },
  })
  writeFileSync(filename, `// Generated from schema/${service}.graphql.\n${content}`)
}

/** A subgraph's schema with the federation directives declared in place of linked, so that it can be read on its own. */
function withFederation(sdl: string): string {
  return `${sdl.replace(/^extend schema @link.*$/m, '')}
    directive @key(fields: _FieldSet!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE
    directive @shareable repeatable on OBJECT | FIELD_DEFINITION
    directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
    directive @requiresScopes(scopes: [[_Scope!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
    directive @policy(policies: [[_Scope!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
    scalar _Scope
    scalar _FieldSet`
}

async function grpcTypes(): Promise<void> {
  const cli = join(root, 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js')
  const protos = globSync('contracts/*.proto', { cwd: root })
  // The same options as platform/grpc loads the files with.
  const options = ['--longs=String', '--enums=String', '--defaults', '--oneofs']
  const files = [
    '--importFileExtension=.ts',
    '--targetFileExtension=.ts',
    '--grpcLib=@grpc/grpc-js',
    '-O',
    'generated/grpc',
  ]
  await exec(process.execPath, [cli, ...options, ...files, ...protos], { cwd: root })
}
