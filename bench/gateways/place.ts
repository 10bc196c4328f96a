/** Where the gateways run: subgraphs in processes of their own, supergraph schemas, keys and real tokens. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/services.ts'
import { createCallers } from '../callers.ts'
import { composeGraph, type SubgraphName, subgraphNames } from './graph.ts'
import { start, until } from './processes.ts'
import type { Place } from './rows.ts'

/** Signed-in users that the requests come from. */
const users = 100

export async function openPlace(hiveRouter: string | undefined) {
  const folder = await mkdtemp(join(tmpdir(), 'gateways-'))
  const subgraphs = subgraphNames.map((name) =>
    start(process.execPath, [join(root, 'bench/gateways/subgraph.ts'), name], {}),
  )
  const found = await Promise.all(
    subgraphs.map((subgraph) => until(subgraph, () => /^http:.*$/m.exec(subgraph.output())?.[0])),
  )
  const urls = Object.fromEntries(subgraphNames.map((name, n) => [name, found[n] ?? ''])) as Record<
    SubgraphName,
    string
  >
  const open = join(folder, 'open.graphql')
  const guarded = join(folder, 'guarded.graphql')
  await writeFile(open, composeGraph(urls, { guarded: false }))
  await writeFile(guarded, composeGraph(urls, { guarded: true }))

  const { tokens, keySet, gatewayKey } = await createCallers(users, () => 'users:read orders:read')
  const jwks = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(keySet)
  })
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve))
  const place: Place = {
    folder,
    open,
    guarded,
    jwksUrl: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/`,
    gatewayKey,
    hiveRouter,
  }
  return {
    place,
    tokens,
    async stop(): Promise<void> {
      jwks.close()
      await Promise.all(subgraphs.map((subgraph) => subgraph.stop()))
      await rm(folder, { recursive: true })
    },
  }
}
