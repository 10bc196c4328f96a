import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'graphql'
import { createPlanner } from '../../../tools/schema/plans.ts'
import { chartOf } from '../chart.ts'
import { composeGraph } from '../graph.ts'
import type { Round } from '../load.ts'
import { bodyOf, operationNames } from '../operations.ts'
import { familyCpu, familyMemory, start, until } from '../processes.ts'
import { figuresOf, type Measured, type Results, ratiosTo, tableOf, uncachedTable } from '../report.ts'
import { reportOf } from '../results.ts'
import { rowNames } from '../rows.ts'

const urls = { users: 'http://u/', products: 'http://p/', orders: 'http://o/', reviews: 'http://r/' }
const planner = createPlanner(composeGraph(urls, { guarded: false }))

/** The subgraphs that a text is planned to ask, in the order of their names. */
const asked = (body: string) => {
  const plan = JSON.stringify(planner.plan(parse(JSON.parse(body).query)))
  return [...plan.matchAll(/"serviceName":"(\w+)"/g)].map(([, name]) => name).sort()
}

test('every operation asks the subgraphs that it is said to ask', () => {
  assert.deepEqual(asked(bodyOf('single', 0)), ['users'])
  assert.deepEqual(asked(bodyOf('list', 0)), ['products', 'reviews', 'users'])
  assert.deepEqual([...new Set(asked(bodyOf('heavy', 0)))], ['orders', 'products', 'reviews', 'users'])
  assert.deepEqual(asked(bodyOf('mutation', 0)), ['orders', 'products', 'users'])
  assert.deepEqual(asked(bodyOf('variables', 0)), ['orders', 'products'])
  assert.equal(Object.keys(JSON.parse(bodyOf('variables', 0)).variables).length, 50)
})

test('a new text differs from every other, and is planned like the known one', () => {
  for (const operation of operationNames) {
    const [known, one, another] = [bodyOf(operation, 0), bodyOf(operation, 0, 'n1'), bodyOf(operation, 0, 'n2')]
    assert.equal(new Set([known, one, another]).size, 3, operation)
    assert.deepEqual(asked(one), asked(known), operation)
  }
})

test('the graph with access rules takes the same operations', () => {
  const guarded = createPlanner(composeGraph(urls, { guarded: true }))
  for (const operation of operationNames) assert.ok(guarded.plan(parse(JSON.parse(bodyOf(operation, 0)).query)))
})

const round = (cpu: number, requests: number, latencies: number[]): Round => ({ cpu, requests, wall: 500, latencies })

test('figures are the median of the rounds, and quantiles of all requests', () => {
  const figures = figuresOf([
    round(20, 10, [1, 2, 3, 4, 5]),
    round(900, 10, [6, 7, 8, 9, 100]),
    round(30, 10, [10, 10, 10, 10, 10]),
  ])
  assert.deepEqual(figures, { cpu: 3, rate: 20, p50: 8, p99: 100 })
})

const measured = (cpu: number): Measured => ({
  operations: { list: { cpu, rate: 1, p50: 1, p99: 1 } },
  uncached: { list: cpu * 10 },
  memory: { peak: 2e6, after: 1e6 },
})
const results: Results = { apollo: measured(2), 'hive-rust': measured(0.8), 'ours-on': measured(0.5) }

test('ratios are ours with everything on, divided by the other, and absent for what was not measured', () => {
  assert.deepEqual(ratiosTo(results, 'apollo'), { list: 0.25 })
  assert.deepEqual(ratiosTo(results, 'hive-rust'), { list: 0.625 })
  assert.deepEqual(ratiosTo(results, 'hive-router'), {})
  assert.deepEqual(ratiosTo({ apollo: measured(1) }, 'apollo'), {})
})

test('the report names the machine, the versions and the ratios', () => {
  const report = reportOf(results, true, new Date('2026-01-01T00:00:00Z'), { '@apollo/gateway': '1.2.3' })
  assert.equal(report.at, '2026-01-01T00:00:00.000Z')
  assert.equal(report.quick, true)
  assert.deepEqual(report.ratios, { toApollo: { list: 0.25 }, toHiveRust: { list: 0.625 }, toHiveRouter: {} })
  assert.deepEqual(report.versions, { '@apollo/gateway': '1.2.3' })
  assert.equal(report.machine.node, process.versions.node)
  assert.deepEqual(JSON.parse(JSON.stringify(report.rows)), JSON.parse(JSON.stringify(results)))
})

test('the table and the chart hold every gateway that was measured, and no other', () => {
  const table = tableOf('list', {
    apollo: { cpu: 2, rate: 1, p50: 1, p99: 1 },
    'ours-on': { cpu: 0.5, rate: 1, p50: 1, p99: 1 },
  }).split('\n')
  assert.equal(table.length, 2 + 2)
  assert.equal(new Set(table.map((line) => line.length)).size, 1)
  assert.match(table.at(-1) ?? '', /everything on +\| +0\.500 \| +0\.25x/)
  assert.match(uncachedTable(results), /^\| new texts, CPU ms +\| +list \|\n/)
  assert.match(uncachedTable(results), /everything on +\| +5\.00 \|$/)
  const chart = chartOf(results)
  assert.equal([...chart.matchAll(/<rect x=/g)].length, 3)
  assert.equal([...chart.matchAll(/class="own"/g)].length, 1)
  assert.equal(
    [...chartOf(Object.fromEntries(rowNames.map((name) => [name, measured(1)]))).matchAll(/<rect x=/g)].length,
    rowNames.length,
  )
})

test('what a process has used contains what its children have', async () => {
  const burn = 'const end = Date.now() + 60_000; while (Date.now() < end && process.cpuUsage().user < 100_000);'
  const child = `${burn} console.log("burnt"); setInterval(() => {}, 1000)`
  const parent = start(
    process.execPath,
    [
      '-e',
      `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" })`,
    ],
    {},
  )
  try {
    await until(parent, () => parent.output().includes('burnt') || undefined)
    assert.ok(familyCpu(parent.pid) >= 100)
    assert.ok(familyMemory(parent.pid) > 1e6)
  } finally {
    await parent.stop()
  }
})
