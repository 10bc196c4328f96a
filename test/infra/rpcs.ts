import type { ServiceDefinition } from '@grpc/grpc-js'
import { continueTrace, runWithContext } from '#platform/context.ts'
import { createPeer } from '#platform/grpc/client.ts'
import { createGrpcServer, type RpcHandlers } from '#platform/grpc/server.ts'
import { silentLog as log } from '#platform/log.ts'
import { createMask } from '#platform/mask.ts'
import {
  createPrincipalSigner,
  createPrincipalVerifier,
  createServiceTokens,
  createServiceTokenVerifier,
  type Principal,
} from '#platform/principal.ts'
import { testKeys } from '../../platform/test/keys.ts'

/** Serves the RPCs of a service on loopback, for peers to call as they would in the shop. */
export async function serveRpcs<Definition extends ServiceDefinition>(
  name: string,
  service: Definition,
  handlers: RpcHandlers<Definition>,
) {
  const { privateKeys, keys } = await testKeys('gateway', 'orders', 'payments')
  const sign = createPrincipalSigner({ key: privateKeys.gateway })
  const server = createGrpcServer({
    verifyCaller: createServiceTokenVerifier({ keys, audience: name }),
    verifyPrincipal: createPrincipalVerifier({ keys }),
    mask: createMask({ service: name, log }),
  })
  server.add(service, handlers)
  const port = await server.listen('127.0.0.1', 0)
  const peers: { close(): void }[] = []

  return {
    /** The RPCs as a caller calls them. */
    as(caller: keyof typeof privateKeys) {
      const serviceToken = createServiceTokens({ key: privateKeys[caller] })
      const peer = createPeer({ name, service, addresses: [`127.0.0.1:${port}`], serviceToken })
      peers.push(peer)
      return peer.rpcs
    },
    /** Calls on behalf of somebody, as the gateway vouches. */
    async onBehalfOf<Result>(principal: Principal, call: () => Promise<Result>): Promise<Result> {
      const principalToken = await sign(principal)
      return runWithContext({ ...continueTrace({}), principalToken }, call)
    },
    async close(): Promise<void> {
      for (const peer of peers) peer.close()
      await server.close()
    },
  }
}
