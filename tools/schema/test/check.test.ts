import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkSchema } from '../check.ts'
import { failed, formats } from '../report.ts'
import { type Edits, edited, judge, operations, stateOf, subgraphs } from './graph.ts'

const withoutSubtitle: Edits = { shelf: [['subtitle: String', '']] }
const openVault: Edits = { shelf: [['type Vault @authenticated', 'type Vault']] }
const reason = 'Everybody may see it from now on.'

test('nothing is found where nothing changed', async () => {
  assert.deepEqual((await judge({}, operations)).findings, [])
})

test('a breaking change names the operations that use it, and where it stood', async () => {
  const { findings } = await judge(withoutSubtitle, operations)
  const [finding] = findings
  assert.deepEqual(finding?.usedBy, ['web/ShowBook'])
  assert.equal(finding.file, 'shelf.graphql')
  const line = (subgraphs.shelf ?? '').split('\n').findIndex((text) => text.includes('type Book'))
  assert.equal(finding.line, line + 1)
})

test('an operation whose file goes in the same change still counts, since its clients do not', async () => {
  const { 'web/ShowBook': _, ...rest } = operations
  const { findings } = await checkSchema(stateOf(), stateOf(edited(withoutSubtitle), rest))
  assert.deepEqual(findings.find(({ subject }) => subject === 'Book.subtitle')?.usedBy, ['web/ShowBook'])
})

test('an operation that no longer asks for a field in the same change still counts', async () => {
  const changed = { ...operations, 'web/ShowBook': 'query ShowBook($id: ID!) { book(id: $id) { title } }' }
  const { findings } = await checkSchema(stateOf(), stateOf(edited(withoutSubtitle), changed))
  assert.equal(findings.find(({ subject }) => subject === 'Book.subtitle')?.outcome, 'fails')
})

test('a field that a plan asks of a subgraph may not leave it at once, though clients see no change', async () => {
  const moved: Edits = {
    shelf: [['subtitle: String', 'subtitle: String\n sender: String']],
    post: [['sender: String', '']],
  }
  const { findings } = await judge(moved, operations)
  assert.deepEqual(
    findings
      .filter(({ outcome }) => outcome === 'fails')
      .map(({ subgraph, subject, usedBy }) => ({ subgraph, subject, usedBy })),
    [{ subgraph: 'post', subject: 'Book.sender', usedBy: ['web/Search', 'web/ShowBook'] }],
  )
})

test('a subgraph that goes takes what plans ask of it', async () => {
  const { talk: _, ...rest } = subgraphs
  const after = edited(
    {
      shelf: [
        ['rating: Int @external', 'rating: Int'],
        [' @provides(fields: "rating")', ''],
      ],
    },
    rest,
  )
  const { findings } = await checkSchema(stateOf(), stateOf(after))
  assert.ok(findings.some(({ outcome, subject }) => outcome === 'fails' && subject === 'Query.newest'))
})

test('what is no graph fails with the place', async () => {
  const { findings } = await checkSchema(stateOf(), stateOf({ ...subgraphs, talk: 'type Query {\n' }))
  assert.deepEqual(
    findings.map(({ kind, outcome, file, line }) => ({ kind, outcome, file, line })),
    [{ kind: 'DOES_NOT_COMPOSE', outcome: 'fails', file: 'talk.graphql', line: 2 }],
  )
})

describe('access that is taken away', () => {
  const allowed = ['Vault.gold', 'Vault.rule', 'Query.vault'].map((field) => ({ field, reason }))

  test('fails, whoever uses it, on each field it was taken from', async () => {
    const { findings } = await judge(openVault, {})
    const weakened = findings.filter(({ kind }) => kind === 'ACCESS_WEAKENED')
    // Vault.rule asks for a policy still, which asks for a token.
    assert.deepEqual(weakened.map(({ subject }) => subject).sort(), ['Query.vault', 'Vault.gold'])
    assert.ok(weakened.every(({ outcome }) => outcome === 'fails'))
  })

  test('is let through where the change says so for each field', async () => {
    const { findings } = await judge(
      openVault,
      operations,
      allowed.filter(({ field }) => field !== 'Vault.rule'),
    )
    assert.equal(
      findings.some(({ outcome }) => outcome === 'fails'),
      false,
    )
  })

  test('fails where the file said so before: what was allowed once allows nothing later', async () => {
    const { findings } = await checkSchema(
      stateOf(subgraphs, operations, allowed),
      stateOf(edited(openVault), operations, allowed),
    )
    assert.equal(findings.filter(({ kind, outcome }) => kind === 'ACCESS_WEAKENED' && outcome === 'fails').length, 2)
  })

  test('is not said of a field that keeps its rule', async () => {
    const { findings } = await judge(openVault, operations, allowed)
    const idle = findings.filter(({ kind }) => kind === 'ACCESS_NOT_WEAKENED')
    assert.deepEqual(
      idle.map(({ outcome, message }) => [outcome, message.split(' ')[0]]),
      [['fails', 'Vault.rule']],
    )
  })

  test('is none where the same callers get in: by another directive, or by a rule that moved to another place', async () => {
    const staff = 'staff: [Person!] @requiresScopes(scopes: [["staff:read", "staff:all"]])'
    for (const edits of [
      { shelf: [[staff, 'staff: [Person!] @requiresScopes(scopes: [["staff:all", "staff:read"]])']] },
      { shelf: [[staff, `${staff} @authenticated`]] },
      {
        shelf: [
          [staff, 'staff: [Person!]'],
          ['type Person {', 'type Person @requiresScopes(scopes: [["staff:all", "staff:read"]]) {'],
        ],
      },
    ] satisfies Edits[]) {
      const { findings } = await judge(edits, operations)
      assert.deepEqual(
        findings.filter(({ kind }) => kind === 'ACCESS_WEAKENED'),
        [],
      )
    }
  })

  test('is found where a type that others return has it', async () => {
    const { findings } = await judge(
      {
        shelf: [
          ['vault: Vault', 'vault: Treasure'],
          ['union Medium', 'type Treasure { gold: Int rule: String }\n union Medium'],
        ],
      },
      {},
    )
    assert.ok(findings.some(({ kind, subject }) => kind === 'ACCESS_WEAKENED' && subject === 'Query.vault'))
  })
})

test('a report for people says what broke, who uses it, and what to do', async () => {
  const report = await checkSchema(stateOf(), stateOf(edited(withoutSubtitle)))
  const text = formats.text?.(report) ?? ''
  assert.match(text, /shelf\.graphql:\d+: Field 'subtitle' was removed from object type 'Book'\./)
  assert.match(text, /Used by web\/ShowBook \(client web\)\./)
  assert.match(text, /@deprecated/)
  assert.match(text, /1 failed/)
  assert.equal(failed(report), true)
})

test('a report for programs has every finding', async () => {
  const report = await checkSchema(stateOf(), stateOf(edited(withoutSubtitle)))
  assert.deepEqual(JSON.parse(formats.json?.(report) ?? ''), { ...JSON.parse(JSON.stringify(report)), failed: true })
})

test('annotations of GitHub are one line each, and nothing in them ends one early', async () => {
  const finding = {
    outcome: 'fails',
    level: 'breaking',
    kind: 'A,B',
    subject: 'x:y',
    message: '100%\nmore::error ::',
    usedBy: [],
    file: 'a,b.graphql',
    line: 3,
  } as const
  const text = formats.github?.({ before: 'a', after: 'b', findings: [finding] })
  assert.equal(text, '::error file=a%2Cb.graphql,line=3,title=A%2CB x%3Ay::100%25%0Amore::error ::\n')
})
