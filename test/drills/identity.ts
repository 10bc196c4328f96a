import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { JWK } from 'jose'
import { createPrincipalSigner, createServiceTokens, type PrivateKey } from '#platform/principal.ts'
import { testKeys } from '../../platform/test/keys.ts'
import { serviceNames } from '../../tools/services.ts'
import { everyRpc } from '../infra/grpc.ts'
import { startTestStack, type TestStack } from '../infra/stack.ts'
import type { Drill } from './drill.ts'
import { forgeTokens } from './forgeries.ts'
import { takeovers } from './takeovers.ts'

/** An attempt at what is not one's own, and the code it must be refused with. */
export type Attempt = { what: string; run: () => Promise<string>; code: string }

export const identity: Drill = {
  summary: 'attempts to be somebody else, each refused with its code',
  async run({ print }) {
    const stack = await startTestStack()
    try {
      const attempts = [
        ...(await forgedTokens(stack)),
        ...(await directCalls(stack)),
        ...(await directRpcs(stack)),
        ...takeovers(stack),
      ]
      for (const { what, run, code } of attempts) {
        const seen = await run()
        print(`  ${seen === code ? 'refused ' : 'ACCEPTED'} ${seen.padEnd(20)} ${what}`)
        assert.equal(seen, code, what)
      }
      print(`${attempts.length} attempts, all refused`)
    } finally {
      await stack.stop()
    }
  },
}

const me = JSON.stringify({ query: '{ me { id } }' })

async function forgedTokens(stack: TestStack): Promise<Attempt[]> {
  const victim = await stack.signUp()
  const [{ private_jwk }] = await stack.sql('users', 'SELECT private_jwk FROM signing_keys')
  const { gateway, orders } = stack.secrets.keys as Record<string, PrivateKey>
  const principal = { sub: victim.id, sid: null, scopes: [], anonymous: false, address: null }
  const { control, forged } = await forgeTokens({
    signingKey: private_jwk as JWK & { kid: string },
    accessToken: victim.token,
    refreshToken: victim.refreshToken,
    principalToken: gateway ? await createPrincipalSigner({ key: gateway })(principal) : '',
    serviceToken: orders ? await createServiceTokens({ key: orders })('users') : '',
  })
  const known = await codeOf(stack, stack.url, { authorization: `Bearer ${control}` })
  assert.equal(known, 'NOT_FOUND 200', 'a token with nothing wrong is believed')
  const bearer = Object.entries(forged).map(([what, token]) => ({
    what: `access token: ${what}`,
    code: 'UNAUTHENTICATED 401',
    run: () => codeOf(stack, stack.url, { authorization: `Bearer ${token}` }),
  }))
  const schemes = {
    'Basic dTpw': 'Basic',
    [`Bearer ${victim.token} ${victim.token}`]: 'two tokens',
    Bearer: 'no token',
  }
  const headers = Object.entries(schemes).map(([authorization, what]) => ({
    what: `Authorization header: ${what}`,
    code: 'UNAUTHENTICATED 401',
    run: () => codeOf(stack, stack.url, { authorization }),
  }))
  const forgedPrincipal = await createPrincipalSigner({ key: { ...(orders as PrivateKey), kid: gateway?.kid ?? '' } })(
    principal,
  )
  const spoofed = {
    'x-principal': forgedPrincipal,
    'x-user-id': victim.id,
    'x-forwarded-user': victim.id,
    'x-forwarded-authorization': `Bearer ${victim.token}`,
    'x-original-url': '/admin',
    cookie: `access_token=${victim.token}`,
  }
  const spoofs = Object.entries(spoofed).map(([name, value]) => ({
    what: `header that only the gateway may set: ${name}`,
    // Answered as what it is: a request of nobody.
    code: 'UNAUTHENTICATED 200',
    run: () => codeOf(stack, stack.url, { [name]: value }),
  }))
  return [...bearer, ...headers, ...spoofs]
}

async function directCalls(stack: TestStack): Promise<Attempt[]> {
  const { gateway, orders } = stack.secrets.keys as Record<string, PrivateKey>
  if (!gateway || !orders) throw new Error('The stack has no keys.')
  const victim = await stack.signUp()
  const principal = { sub: victim.id, sid: null, scopes: ['users:read'], anonymous: false, address: null }
  const longAgo = () => new Date(Date.now() - 600_000)
  const principals = {
    'no principal': undefined,
    'an access token as principal': victim.token,
    'a principal signed by a peer': await createPrincipalSigner({ key: orders })(principal),
    "a principal in the gateway's name, signed by a peer": await createPrincipalSigner({
      key: { ...orders, kid: gateway.kid },
    })(principal),
    'an expired principal': await createPrincipalSigner({ key: gateway, now: longAgo })(principal),
    "a peer's service token as principal": await createServiceTokens({ key: orders })('subgraphs'),
    "the gateway's service token as principal": await createServiceTokens({ key: gateway })('subgraphs'),
  }
  return serviceNames.flatMap((service) =>
    Object.entries(principals).map(([what, token]) => ({
      what: `${service} asked directly, with ${what}`,
      code: 'UNAUTHENTICATED 401',
      run: () => codeOf(stack, stack.graphqlUrl(service), token ? { 'x-principal': token } : {}),
    })),
  )
}

/** Each RPC of each service, called by somebody who may not. */
async function directRpcs(stack: TestStack): Promise<Attempt[]> {
  const { gateway, products: uninvited } = stack.secrets.keys as Record<string, PrivateKey>
  if (!gateway || !uninvited) throw new Error('The stack has no keys.')
  const { privateKeys: strangers } = await testKeys('gateway')
  const longAgo = () => new Date(Date.now() - 600_000)
  const token = (key: PrivateKey, audience: string, now?: () => Date) =>
    createServiceTokens({ key, ...(now && { now }) })(audience)
  return (
    await Promise.all(
      everyRpc().map(async (rpc) => {
        const { service } = rpc
        const forged = { ...strangers.gateway, kid: gateway.kid }
        const tokens = {
          'no service token': undefined,
          'a service token that is none': 'nonsense',
          'a service token for another service': await token(gateway, 'somebody else'),
          'an expired service token': await token(gateway, service, longAgo),
          "a service token in the gateway's name, signed by a stranger": await token(forged, service),
          "a user's principal for a service token": await createPrincipalSigner({ key: gateway })(nobody),
        }
        const address = `127.0.0.1:${stack.ports[service].grpc}`
        const attempts = Object.entries(tokens).map(([what, token]) => ({
          what: `${service}.${rpc.name}, with ${what}`,
          code: 'UNAUTHENTICATED',
          run: () => rpc.call(address, token),
        }))
        const byUninvited = await token(uninvited, service)
        return [
          ...attempts,
          {
            what: `${service}.${rpc.name}, by a service that is not on its list`,
            code: 'PERMISSION_DENIED',
            run: () => rpc.call(address, byUninvited),
          },
        ]
      }),
    )
  ).flat()
}

const nobody = { sub: null, sid: null, scopes: [], anonymous: true, address: null }

async function codeOf(stack: TestStack, url: string, headers: Record<string, string>): Promise<string> {
  const { status, data, errors } = await stack.post(url, me, { ...headers, 'x-request-id': randomUUID() })
  assert.ok(!data?.me, 'nothing is told')
  return `${errors[0]?.extensions.code ?? 'no error'} ${status}`
}
