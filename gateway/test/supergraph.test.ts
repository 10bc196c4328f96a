import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadSupergraph } from '../supergraph.ts'

test('a supergraph that asks for security features stops the start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'supergraph-'))
  const file = join(folder, 'supergraph.graphql')
  const schema = (links: string) =>
    `schema @link(url: "https://specs.apollo.dev/link/v1.0") ${links} { query: Query } type Query { a: Int }`
  const plain = schema('@link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)')
  await writeFile(file, plain)
  assert.equal(await loadSupergraph(file), plain)
  await writeFile(file, schema('@link(url: "https://specs.apollo.dev/requiresScopes/v0.1", for: SECURITY)'))
  await assert.rejects(loadSupergraph(file), /security features .*requiresScopes\/v0\.1/)
  await rm(folder, { recursive: true })
})
