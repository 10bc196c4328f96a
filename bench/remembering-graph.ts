import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { composeServices } from '@apollo/composition'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { graphql, parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { ForeignSubgraph } from '../test/infra/gateway.ts'

/** Answers that each subgraph remembers. */
const remembered = 20_000

/**
 * Subgraphs in this process that answer the same question from memory the second time, so that a load measures the gateway and not them.
 * `serve` adds servers of any other kind, that stop with them.
 */
export async function startRememberingGraph(subgraphs: Record<string, ForeignSubgraph>) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  const servers: Server[] = []
  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const services = await Promise.all(
    Object.entries(subgraphs).map(async ([name, { sdl, resolvers }]) => {
      const typeDefs = parse(sdl)
      const schema = buildSubgraphSchema([{ typeDefs, ...(resolvers && { resolvers }) }])
      const known = new LRUCache<string, string>({ max: remembered })
      const url = await serve(async (request, response) => {
        const body = await text(request)
        const key = createHash('sha1').update(body).digest('base64')
        let answer = known.get(key)
        if (answer === undefined) {
          const { query: source, variables: variableValues } = JSON.parse(body)
          answer = JSON.stringify(await graphql({ schema, source, variableValues }))
          known.set(key, answer)
        }
        response.setHeader('content-type', 'application/json')
        response.end(answer)
      })
      return { name, url: `${url}/graphql`, typeDefs }
    }),
  )
  const { supergraphSdl, errors = [] } = composeServices(services)
  if (!supergraphSdl) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n'))
  const supergraph = join(folder, 'supergraph.graphql')
  await writeFile(supergraph, supergraphSdl)
  return {
    /** The file of the supergraph schema. */
    supergraph,
    serve,
    async stop(): Promise<void> {
      for (const server of servers) server.close().closeAllConnections()
      await rm(folder, { recursive: true })
    },
  }
}
