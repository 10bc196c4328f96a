import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  makeGenericClientConstructor,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { root, type ServiceName } from '../../tools/services.ts'

/** An RPC as any outsider could find and call it. */
export type AnyRpc = {
  readonly service: ServiceName
  readonly name: string
  /** Calls it with an empty request and returns the name of the status. */
  call(address: string, token?: string): Promise<string>
}

/** Every RPC of every contract. */
export function everyRpc(): AnyRpc[] {
  return globSync('contracts/*.proto', { cwd: root }).flatMap((file) => {
    const service = basename(file, '.proto') as ServiceName
    const loaded = loadPackageDefinition(loadSync(join(root, file)))
    const versions = loaded[service] as Record<string, Record<string, { service?: ServiceDefinition }>>
    const definitions = Object.values(versions).flatMap((version) => Object.values(version))
    return definitions.flatMap(({ service: definition }) =>
      Object.keys(definition ?? {}).map((name) => ({
        service,
        name,
        call: (address: string, token?: string) => callOnce(definition ?? {}, name, address, token),
      })),
    )
  })
}

function callOnce(definition: ServiceDefinition, method: string, address: string, token?: string): Promise<string> {
  const Client = makeGenericClientConstructor(definition, 'any')
  const client = new Client(address, credentials.createInsecure())
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  return new Promise((resolve) => {
    client[method]?.({}, metadata, (error: { code: status } | null) => {
      client.close()
      resolve(status[error?.code ?? status.OK])
    })
  })
}
