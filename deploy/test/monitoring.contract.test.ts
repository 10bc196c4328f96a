import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { root } from '../../tools/services.ts'
import { prometheusMissing } from './prometheus.ts'
import { dashboards, ruleFiles, rules, selectorsOf } from './queries.ts'

const alerts = rules.flatMap(({ alert, ...rule }) => (alert ? [{ alert, ...rule }] : []))
const tests: { name: string }[] = ruleFiles.flatMap(
  (file) => parse(readFileSync(join(root, 'deploy/test', file), 'utf8')).tests,
)

test('Prometheus reads every file of rules', () => {
  const { rule_files } = parse(readFileSync(join(root, 'deploy/prometheus/prometheus.yml'), 'utf8'))
  assert.deepEqual(rule_files, ruleFiles)
})

test('every alert has a case in which it fires and one in which it does not', () => {
  for (const { alert } of alerts) {
    for (const outcome of ['fires', 'does not fire'])
      assert.ok(
        tests.some(({ name }) => name.startsWith(`${alert} ${outcome}: `)),
        `${alert} ${outcome}`,
      )
  }
  const names = tests.map(({ name }) => name.split(' ')[0])
  assert.deepEqual(
    names.filter((name) => !alerts.some(({ alert }) => alert === name)),
    [],
  )
})

test('docs/operations.md says of each alert, and of no other, what it means and what to do', () => {
  const document = readFileSync(join(root, 'docs/operations.md'), 'utf8')
  const headings = [...document.matchAll(/^### ([A-Z][a-z]+[A-Z]\w+)$/gm)].map(([, name]) => name)
  assert.deepEqual(
    headings,
    alerts.map(({ alert }) => alert),
  )
})

test('every alert says how urgent it is and what is wrong', () => {
  for (const { alert, labels, annotations } of alerts) {
    assert.match(labels?.severity ?? '', /^(page|ticket)$/, alert)
    assert.match(annotations?.summary ?? '', /\.$/, alert)
  }
})

test('every query of a dashboard is PromQL, and no panel lies over another', () => {
  assert.deepEqual(dashboards.map(({ uid }) => uid).sort(), [
    'business',
    'events',
    'gateway',
    'overview',
    'pools',
    'service',
  ])
  for (const { uid, panels } of dashboards) {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
    )
    assert.equal(new Set(cells).size, cells.length, uid)
    for (const { title, targets } of panels) {
      assert.ok(targets.length > 0, title)
      for (const { expr } of targets)
        assert.ok(selectorsOf(expr.replaceAll('$__rate_interval', '1m')).length > 0, title)
    }
  }
})

const missing = prometheusMissing()
if (missing && process.env.REQUIRE_REAL === '1') throw new Error(`REQUIRE_REAL=1, and ${missing}.`)

describe('by promtool', { skip: missing ?? false }, () => {
  for (const [what, ...args] of [
    ['the settings and the rules are valid', 'check', 'config', 'deploy/prometheus/prometheus.yml'],
    [
      'every alert fires where it should and does not where it should not',
      'test',
      'rules',
      ...ruleFiles.map((file) => `deploy/test/${file}`),
    ],
  ] as const) {
    test(what, () => {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: root, encoding: 'utf8' })
      assert.equal(status, 0, stdout + stderr)
    })
  }
})
