import { fileURLToPath } from 'node:url'
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js'
import { loadSync, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader'

/** The RPCs of a service definition that `proto-loader-gen-types` wrote: what they take and what they return. */
export type Rpcs<Definition> = {
  [Name in keyof Definition as string extends Name
    ? never
    : number extends Name
      ? never
      : Name]: Definition[Name] extends MethodDefinition<
    infer Input,
    infer Output,
    infer ParsedInput,
    infer ParsedOutput
  >
    ? { input: Input; output: Output; parsedInput: ParsedInput; parsedOutput: ParsedOutput }
    : never
}

/** Reads a service, such as `users.v1.UserService`, which stands in `contracts/users.proto`. */
export function loadService<Definition extends ServiceDefinition>(name: string): Definition {
  const [contract = ''] = name.split('.')
  let found: unknown = loadPackageDefinition(loadContract(contract))
  for (const part of name.split('.')) found = (found as Record<string, unknown> | undefined)?.[part]
  const { service } = (found ?? {}) as { service?: Definition }
  if (!service) throw new Error(`There is no service ${name} in contracts/${contract}.proto.`)
  return service
}

/** Reads `contracts/<name>.proto`. */
export function loadContract(name: string): PackageDefinition {
  const file = new URL(`../../contracts/${name}.proto`, import.meta.url)
  // The same options as tools/generate.ts writes the types with.
  return loadSync(fileURLToPath(file), { longs: String, enums: String, defaults: true, oneofs: true })
}
