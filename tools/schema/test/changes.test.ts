import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge, operations } from './graph.ts'
import { kindsOfChange } from './kinds-of-change.ts'

describe('each kind of change has its verdict, where a recorded operation uses it and where none does', () => {
  const width = Math.max(...kindsOfChange.map(([what]) => what.length))
  const line = (...[what, kind, used, unused]: string[]) =>
    `${what?.padEnd(width)}  ${kind?.padEnd(33)}  ${used?.padEnd(6)}  ${unused}`
  console.log(line('change', 'kind', 'used', 'unused'))
  for (const [what, kind, used, unused, edits] of kindsOfChange) {
    test(what, async () => {
      const [inUse, notInUse] = [await judge(edits, operations), await judge(edits, {})]
      console.log(line(what, kind, inUse.outcome, notInUse.outcome))
      for (const { findings } of [inUse, notInUse]) {
        const told = findings.map((finding) => finding.kind)
        assert.ok(told.includes(kind), `tells of ${kind}, among ${told}`)
      }
      assert.deepEqual([inUse.outcome, notInUse.outcome], [used, unused])
    })
  }
})
