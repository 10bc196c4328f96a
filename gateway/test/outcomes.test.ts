import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '#platform/metrics.ts'
import { measureAnswers, outcomeOf } from '../outcomes.ts'
import type { Answer } from '../pipeline.ts'

const answerWith = (...codes: string[]): Answer => ({
  status: 200,
  headers: {},
  body: { data: {}, ...(codes.length > 0 && { errors: codes.map((code) => ({ message: '', extensions: { code } })) }) },
})

test('a request failed when an error of its answer is the system’s, and was refused when all are its client’s', () => {
  assert.equal(outcomeOf(answerWith()), 'ok')
  assert.equal(outcomeOf(answerWith('INSUFFICIENT_STOCK', 'RATE_LIMITED')), 'refused')
  assert.equal(outcomeOf(answerWith('FORBIDDEN', 'SUBGRAPH_TIMEOUT')), 'failed')
  const [refused, failed] = [answerWith('FORBIDDEN'), answerWith('OVERLOADED')].map(({ body }) => body)
  assert.equal(
    outcomeOf({ ...answerWith(), body: [refused, failed].flat().filter((each) => each !== undefined) }),
    'failed',
  )
})

test('requests are counted by outcome, and every outcome is there from the start', async () => {
  const metrics = createMetrics({ service: 'test' })
  const given = [answerWith(), answerWith('NOT_FOUND')]
  const answer = measureAnswers(async () => {
    const next = given.shift()
    if (!next) throw new Error('a bug')
    return next
  }, metrics)
  const counted = async () =>
    [...(await metrics.text()).matchAll(/duration_seconds_count\{.*outcome="(\w+)".*\} (\d)/g)].map(
      ([, outcome, count]) => `${outcome} ${count}`,
    )
  assert.deepEqual((await counted()).sort(), ['failed 0', 'ok 0', 'refused 0'])
  const call = {} as Parameters<typeof answer>[1]
  await answer({ operations: [], batch: false }, call)
  await answer({ operations: [], batch: false }, call)
  await assert.rejects(answer({ operations: [], batch: false }, call), /a bug/)
  assert.deepEqual((await counted()).sort(), ['failed 1', 'ok 1', 'refused 1'])
})
