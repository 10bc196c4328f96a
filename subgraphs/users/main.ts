import { randomUUID } from 'node:crypto'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { openServiceDatabase } from '#platform/database/open.ts'
import { openEvents } from '#platform/events.ts'
import { createGrpcServer } from '#platform/grpc/server.ts'
import { loadService } from '#platform/grpc/service.ts'
import { createHealth } from '#platform/health.ts'
import { run } from '#platform/lifecycle.ts'
import { createMask } from '#platform/mask.ts'
import { createPrincipalVerifier, createServiceTokenVerifier } from '#platform/principal.ts'
import { createSubgraph } from '#platform/subgraph.ts'
import { readConfig } from './config.ts'
import { createPasswords } from './credentials/passwords.ts'
import { createTokens, generateSigningKey, hashRefreshToken } from './credentials/tokens.ts'
import { createRpcHandlers } from './grpc.ts'
import { createContext } from './loaders.ts'
import { createResolvers } from './resolvers.ts'
import { createUsersService } from './service.ts'
import { createUsersStore } from './store.ts'

const name = 'users'

await run(name, readConfig, async ({ config, log, lifecycle }) => {
  const now = () => new Date()
  const newId = randomUUID
  const url = config.USERS_DATABASE_URL
  const mask = createMask({ service: name, log })

  const database = await openServiceDatabase({
    name,
    url,
    migrations: new URL('../../prisma/users/migrations', import.meta.url),
    poolSize: config.DATABASE_POOL_SIZE,
    log,
    lifecycle,
  })
  const store = createUsersStore(database.adapter)
  lifecycle.onStop('store', store.close)

  const events = await openEvents({ name, url, config, log, lifecycle })

  const tokens = await createTokens({
    keys: await store.signingKeys(() => generateSigningKey(now())),
    issuer: config.TOKEN_ISSUER,
    audience: config.TOKEN_AUDIENCE,
    lifetime: config.ACCESS_TOKEN_LIFETIME,
    now,
    newId,
  })
  const service = createUsersService({ store, passwords: createPasswords(), tokens, hashRefreshToken, now, newId })

  const health = createHealth([
    { name: 'database', check: database.check, required: true },
    { name: 'events', check: events.check, required: false },
  ])
  await health.start()
  lifecycle.onStop('health', health.stop)

  const verifyPrincipal = createPrincipalVerifier({ keys: config.SERVICE_JWKS })
  const grpc = createGrpcServer({
    verifyCaller: createServiceTokenVerifier({ keys: config.SERVICE_JWKS, audience: name }),
    verifyPrincipal,
    mask,
  })
  grpc.add(
    loadService<UserServiceDefinition>(new URL('../../contracts/users.proto', import.meta.url), 'users.v1.UserService'),
    createRpcHandlers(service),
  )
  await grpc.listen(config.HOST, config.GRPC_PORT)
  lifecycle.onStop('grpc', grpc.close)

  const http = await createSubgraph({
    schemaFile: new URL('../../schema/users.graphql', import.meta.url),
    resolvers: createResolvers(service),
    createContext: (principal) => createContext(principal, store),
    verifyPrincipal,
    lifecycle,
    health,
    mask,
  })
  http.get('/.well-known/jwks.json', (_request, reply) => reply.send(tokens.jwks()))
  await http.listen({ host: config.HOST, port: config.PORT })
  lifecycle.onStop('http', () => http.close())

  events.emit()
})
