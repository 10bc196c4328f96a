import { createAudit } from '#platform/audit.ts'
import { run } from '#platform/lifecycle.ts'
import { createMask } from '#platform/mask.ts'
import { createPrincipalSigner } from '#platform/principal.ts'
import { createAuthenticator } from './auth.ts'
import { createAuthorization } from './authorization.ts'
import { readConfig } from './config.ts'
import { policies } from './policies.ts'
import { createGateway } from './server.ts'
import { loadSupergraph } from './supergraph.ts'

const name = 'gateway'
const sandboxOrigin = 'https://studio.apollographql.com'

await run(name, readConfig, async ({ config, log, lifecycle }) => {
  const development = config.NODE_ENV !== 'production'
  const urls: Record<string, readonly string[] | undefined> = {
    users: config.USERS_URLS,
    products: config.PRODUCTS_URLS,
    orders: config.ORDERS_URLS,
    notifications: config.NOTIFICATIONS_URLS,
  }

  const audit = createAudit({ service: name, file: config.AUDIT_LOG })
  const http = await createGateway({
    supergraphSdl: await loadSupergraph(config.SUPERGRAPH_FILE),
    authenticate: createAuthenticator({
      jwksUrl: config.JWKS_URL,
      issuer: config.TOKEN_ISSUER,
      audience: config.TOKEN_AUDIENCE,
      keySetAge: config.JWKS_MAX_AGE,
      onRefused: (address, reason) => audit({ action: 'token.refused', actor: null, address, detail: { reason } }),
    }),
    signPrincipal: config.SERVICE_PRIVATE_KEY && createPrincipalSigner({ key: config.SERVICE_PRIVATE_KEY }),
    authorize: createAuthorization({ policies, unauthorized: config.UNAUTHORIZED_FIELDS, audit }),
    urlsOf: (subgraph) => urls[subgraph],
    sandbox: development,
    origins: config.CORS_ORIGINS ?? (development ? [sandboxOrigin] : []),
    requestTimeout: config.REQUEST_TIMEOUT,
    subgraphTimeout: config.SUBGRAPH_TIMEOUT,
    bodyLimit: config.BODY_LIMIT,
    lifecycle,
    mask: createMask({ service: name, log }),
    log,
  })
  await http.listen({ host: config.HOST, port: config.PORT })
  lifecycle.onStop('http', () => http.close())
})
