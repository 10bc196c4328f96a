import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { type ConstDirectiveNode, type DocumentNode, Kind, parse, print, valueFromASTUntyped, visit } from 'graphql'

/** A specification that a supergraph schema links to. https://specs.apollo.dev/link/v1.0 */
export type LinkedFeature = {
  /** The specification without its version, `https://specs.apollo.dev/requiresScopes`. */
  readonly identity: string
  readonly version: string
  readonly purpose: string | undefined
  /** What its directive of the same name is called in this schema, without the `@`. */
  readonly directive: string
  /** What any of its directives is called in this schema, both without the `@`. */
  readonly nameOf: (directive: string) => string
}

/** Where the specifications of Apollo's own directives stand. */
export const specifications = 'https://specs.apollo.dev'

/** Query plans that the planner weighs for one operation, so that none keeps it busy for long. Apollo's default is 10000. */
export const mostPlans = 1_000

/** What this gateway enforces of what supergraphs ask for security (gateway/authorization.ts). */
const enforced = new Set(['authenticated', 'requiresScopes', 'policy'].map((name) => `${specifications}/${name} v0.1`))

/** What @apollo/gateway enforces itself. */
const enforcedByApollo = new Set(['v0.1', 'v0.2'].map((version) => `${specifications}/inaccessible ${version}`))

/** Bytes that a supergraph schema may have. */
const mostBytes = 32 * 1024 * 1024

/** A supergraph schema that @apollo/gateway loads. */
export type Supergraph = {
  readonly sdl: string
  /** Names the text it was read from: the beginning of its SHA-256, in hexadecimal. */
  readonly version: string
}

/** Reads a supergraph schema. Throws for one that is no GraphQL, or asks for more security than there is here. */
export async function readSupergraph(file: string): Promise<Supergraph> {
  const { size } = await stat(file)
  if (size > mostBytes) throw new Error(`The supergraph ${file} has ${size} bytes, more than ${mostBytes}.`)
  const text = await readFile(file, 'utf8')
  const version = createHash('sha256').update(text).digest('hex').slice(0, 12)
  return { sdl: withoutSecurity(text, file), version }
}

/** Tells one state of a file from another, whether it is written in place or replaced. Undefined for one that cannot be seen. */
export async function stampOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined)
  return found && [found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ')
}

/**
 * Takes `for: SECURITY` off the features that we enforce, since @apollo/gateway refuses to load those that it does not.
 * Throws for a supergraph schema that asks for another one.
 */
export function withoutSecurity(sdl: string, file: string): string {
  const document = parse(sdl, { noLocation: true })
  const missing = linkedFeatures(document)
    .filter(({ purpose }) => purpose === 'SECURITY')
    .map(versioned)
    .filter((name) => !enforced.has(name) && !enforcedByApollo.has(name))
  if (missing.length > 0) {
    throw new Error(
      `The supergraph ${file} asks for security features that this gateway does not enforce: ${missing.join(', ')}`,
    )
  }
  return print(
    visit(document, {
      Directive(node) {
        const link = linkOf(node as ConstDirectiveNode)
        if (link?.purpose !== 'SECURITY' || !enforced.has(versioned(link))) return undefined
        return { ...node, arguments: node.arguments?.filter(({ name }) => name.value !== 'for') }
      },
    }),
  )
}

function versioned({ identity, version }: LinkedFeature): string {
  return `${identity} ${version}`
}

export function linkedFeatures(document: DocumentNode): LinkedFeature[] {
  return document.definitions
    .filter((node) => node.kind === Kind.SCHEMA_DEFINITION || node.kind === Kind.SCHEMA_EXTENSION)
    .flatMap((node) => node.directives ?? [])
    .flatMap((directive) => linkOf(directive) ?? [])
}

type Import = string | { name: string; as?: string }

function linkOf(node: ConstDirectiveNode): LinkedFeature | undefined {
  // A link is known by its URL, since `@link` itself can be renamed.
  const url = addressOf(argumentOf(node, 'url'))
  const [, identity, name, version] = /^(.*\/([^/]+))\/(v\d+\.\d+)\/?$/.exec(url) ?? []
  if (!identity || !name || !version) return undefined
  const imports = [argumentOf(node, 'import') ?? []].flat() as Import[]
  const namespace = (argumentOf(node, 'as') as string | undefined) ?? name
  const nameOf = (directive: string): string => {
    const imported = imports.find((entry) => (typeof entry === 'string' ? entry : entry.name) === `@${directive}`)
    if (imported) return ((typeof imported === 'object' && imported.as) || `@${directive}`).slice(1)
    return directive === name ? namespace : `${namespace}__${directive}`
  }
  return {
    identity,
    version,
    purpose: argumentOf(node, 'for') as string | undefined,
    directive: nameOf(name),
    nameOf,
  }
}

/** A URL without what does not tell specifications apart, as @apollo/gateway reads it. */
function addressOf(url: unknown): string {
  if (typeof url !== 'string' || !URL.canParse(url)) return ''
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

function argumentOf({ arguments: args = [] }: ConstDirectiveNode, name: string): unknown {
  const argument = args.find((arg) => arg.name.value === name)
  return argument && valueFromASTUntyped(argument.value)
}
