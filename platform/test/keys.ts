import { exportJWK, generateKeyPair } from 'jose'
import type { PrivateKey, PublicKeys } from '../principal.ts'

/** Keys of processes, for tests. */
export async function testKeys<Name extends string>(...names: Name[]) {
  const pairs = await Promise.all(
    names.map(async (name) => {
      const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
      return [name, { ...(await exportJWK(privateKey)), kid: `${name}.test` } as PrivateKey] as const
    }),
  )
  const keys: PublicKeys = { keys: pairs.map(([, { d: _, ...key }]) => key) }
  return { privateKeys: Object.fromEntries(pairs) as Record<Name, PrivateKey>, keys }
}
