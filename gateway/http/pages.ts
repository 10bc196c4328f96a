import staticFiles from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Where the explorer that needs no network is. */
export const explorerPath = '/explorer/'

/**
 * Apollo Sandbox for this graph, which browsers load from Apollo's own servers; where they cannot be reached, the page
 * leads to the explorer that is served here. https://www.apollographql.com/docs/graphos/platform/sandbox#embedding-sandbox
 */
export const sandboxPage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Apollo Sandbox</title>
    <style>
      body { margin: 0; font-family: system-ui, sans-serif; }
      #sandbox { position: absolute; inset: 0; }
      #sandbox p { margin: 4rem auto; max-width: 32rem; }
    </style>
  </head>
  <body>
    <div id="sandbox"><p>Apollo Sandbox comes from the network. Without one, use <a href="${explorerPath}">the explorer here</a>.</p></div>
    <script src="https://embeddable-sandbox.cdn.apollographql.com/v2/embeddable-sandbox.umd.production.min.js"></script>
    <script>
      if (window.EmbeddedSandbox) {
        document.querySelector('#sandbox').replaceChildren()
        new EmbeddedSandbox({ target: '#sandbox', initialEndpoint: location.origin + '/graphql' })
      }
    </script>
  </body>
</html>
`

/** What the page of the Sandbox may load. */
export const sandboxPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline' https://embeddable-sandbox.cdn.apollographql.com",
  "style-src 'unsafe-inline' https://embeddable-sandbox.cdn.apollographql.com",
  'frame-src https://sandbox.embed.apollographql.com',
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** What the explorer may load: what is served here alone. Its editor and its templates need eval and inline styles. */
const explorerPolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "frame-ancestors 'none'",
].join('; ')

/** Serves Altair, an explorer that works without a network. */
export async function serveExplorer(app: FastifyInstance): Promise<void> {
  const { default: altair } = await import('altair-static')
  const page = altair.renderAltair({
    baseURL: explorerPath,
    endpointURL: '/graphql',
    disableAccount: true,
    initialSettings: { 'banners.disable': true },
  })
  await app.register(async (scope) => {
    scope.addHook('onSend', async (_request, reply) => void reply.header('content-security-policy', explorerPolicy))
    scope.get(explorerPath.slice(0, -1), (_request, reply) => reply.redirect(explorerPath))
    scope.get(explorerPath, (_request, reply) => reply.type('text/html; charset=utf-8').send(page))
    await scope.register(staticFiles, {
      root: altair.getDistDirectory(),
      prefix: explorerPath,
      decorateReply: false,
      index: false,
    })
  })
}
