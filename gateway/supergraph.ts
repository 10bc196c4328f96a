import { readFile } from 'node:fs/promises'
import { type DocumentNode, type EnumValueNode, Kind, parse, type StringValueNode } from 'graphql'

/**
 * Reads a supergraph schema. Throws for one that asks for security features: they would be loaded and not enforced.
 * https://specs.apollo.dev/link/v1.0/#Purpose
 */
export async function loadSupergraph(file: string): Promise<string> {
  const sdl = await readFile(file, 'utf8')
  const features = securityFeatures(parse(sdl, { noLocation: true }))
  if (features.length > 0) {
    throw new Error(
      `The supergraph ${file} asks for security features that this gateway does not enforce: ${features.join(', ')}`,
    )
  }
  return sdl
}

function securityFeatures(document: DocumentNode): string[] {
  const links = document.definitions
    .filter((node) => node.kind === Kind.SCHEMA_DEFINITION || node.kind === Kind.SCHEMA_EXTENSION)
    .flatMap((node) => node.directives ?? [])
    .map((directive) => Object.fromEntries(directive.arguments?.map(({ name, value }) => [name.value, value]) ?? []))
  return links
    .filter(({ for: purpose }) => (purpose as EnumValueNode | undefined)?.value === 'SECURITY')
    .map(({ url }) => (url as StringValueNode | undefined)?.value ?? 'unnamed')
}
