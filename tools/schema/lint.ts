import { join } from 'node:path'
import { Supergraph } from '@apollo/federation-internals'
import * as graphqlEslint from '@graphql-eslint/eslint-plugin'
import { ESLint, type Linter } from 'eslint'
import { Kind, parse, printSchema } from 'graphql'
import { composeSubgraphs, type Remark } from './composition.ts'
import type { SubgraphSource } from './graph.ts'
import { ownRules } from './lint-rules.ts'

/** The conventions of every subgraph's schema: graphql-eslint's rules, and our own where it has none. */
function rulesFor(foreign: readonly string[]): Linter.RulesRecord {
  const options = { foreign }
  // An entity is described where it is at home.
  const ignoredSelectors = foreign.map((type) => `ObjectTypeDefinition[name.value=${type}]`)
  return {
    'graphql/require-description': [
      'error',
      {
        types: true,
        FieldDefinition: true,
        InputValueDefinition: true,
        EnumValueDefinition: true,
        ignoredSelectors: [...ignoredSelectors, ...roots],
      },
    ],
    'graphql/description-style': ['error', { style: 'block' }],
    'graphql/no-hashtag-description': 'error',
    'graphql/naming-convention': [
      'error',
      {
        // Names of a specification that is linked stand after its own. https://specs.apollo.dev/link/v1.0
        types: { style: 'PascalCase', ignorePattern: '^[a-z][A-Za-z]*__' },
        FieldDefinition: 'camelCase',
        InputValueDefinition: 'camelCase',
        Argument: 'camelCase',
        DirectiveDefinition: 'camelCase',
        EnumValueDefinition: 'UPPER_CASE',
      },
    ],
    'graphql/unique-enum-value-names': 'error',
    'graphql/no-typename-prefix': 'error',
    'graphql/input-name': ['error', { checkInputType: true, caseSensitiveInputType: false }],
    'graphql/relay-connection-types': 'error',
    'graphql/relay-edge-types': [
      'error',
      { withEdgeSuffix: true, listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false },
    ],
    'graphql/relay-page-info': 'error',
    'graphql/require-deprecation-reason': 'error',
    ...Object.fromEntries(Object.keys(ownRules).map((name) => [`commerce/${name}`, ['error', options]])),
  }
}

const roots = ['ObjectTypeDefinition[name.value=/^(Query|Mutation|Subscription)$/]']

/** What in the schemas is not as everybody expects it. What does not compose is told first, and alone. */
export async function lintSubgraphs(root: string, subgraphs: readonly SubgraphSource[]): Promise<readonly Remark[]> {
  const { sdl, faults } = composeSubgraphs(subgraphs)
  if (sdl === undefined) return faults
  // graphql-eslint remembers the first schema that it sees, so it sees that of all.
  const graph = printSchema(Supergraph.build(sdl, { supportedFeatures: null }).apiSchema().toGraphQLJSSchema())
  const owners = ownersOf(subgraphs)
  const configs = subgraphs.map(({ name, file, sdl }): Linter.Config => {
    const foreign = entitiesIn(sdl).flatMap(({ type }) => ([name, undefined].includes(owners.get(type)) ? [] : [type]))
    return {
      files: [file],
      languageOptions: { parser: graphqlEslint.parser, parserOptions: { graphQLConfig: { schema: graph } } },
      plugins: { graphql: { rules: graphqlEslint.rules }, commerce: { rules: ownRules } } as NonNullable<
        Linter.Config['plugins']
      >,
      rules: rulesFor(foreign),
    }
  })
  const eslint = new ESLint({ cwd: root, overrideConfigFile: true, overrideConfig: configs })
  const results = await Promise.all(
    subgraphs.map(({ file, sdl }) => eslint.lintText(sdl, { filePath: join(root, file) })),
  )
  return results.flatMap((result, index) => {
    const { file = '' } = subgraphs[index] ?? {}
    return result.flatMap(({ messages }) =>
      messages.map(({ message, line, ruleId }) => ({ message: `${message} (${ruleId ?? 'syntax'})`, file, line })),
    )
  })
}

/** The subgraph in which each entity is at home: the one that describes it. */
function ownersOf(subgraphs: readonly SubgraphSource[]): Map<string, string> {
  return new Map(
    subgraphs.flatMap(({ name, sdl }) =>
      entitiesIn(sdl).flatMap(({ type, described }) => (described ? [[type, name] as const] : [])),
    ),
  )
}

function entitiesIn(sdl: string): { type: string; described: boolean }[] {
  return parse(sdl, { noLocation: true }).definitions.flatMap((node) => {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.OBJECT_TYPE_EXTENSION) return []
    if (!node.directives?.some(({ name }) => name.value === 'key')) return []
    return [{ type: node.name.value, described: 'description' in node && node.description !== undefined }]
  })
}
