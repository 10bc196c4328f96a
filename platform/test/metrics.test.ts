import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../metrics.ts'

/** The lines of a scrape that are about queues. */
const linesOf = (text: string) => text.split('\n').filter((line) => line.startsWith('queue_'))

test('what is measured is read at each scrape, and a label that is gone is gone', async () => {
  const metrics = createMetrics({ service: 'things' })
  const names = ['first', 'second']
  metrics.measured({ queue_length: 'Length.', queue_age_seconds: 'Age.' }, ['queue'], async () =>
    names.map((queue, index) => ({ labels: { queue }, values: { queue_length: 3 + index, queue_age_seconds: 0.5 } })),
  )
  assert.deepEqual(linesOf(await metrics.text()), [
    'queue_length{queue="first",service="things"} 3',
    'queue_length{queue="second",service="things"} 4',
    'queue_age_seconds{queue="first",service="things"} 0.5',
    'queue_age_seconds{queue="second",service="things"} 0.5',
  ])
  names.shift()
  assert.equal(linesOf(await metrics.text()).length, 2)
})

test('what cannot be read is left out of a scrape, whatever was read before', async () => {
  for (const labelNames of [[], ['queue']] as const) {
    const metrics = createMetrics({ service: 'things' })
    let away = false
    metrics.measured({ queue_length: 'Length.' }, labelNames, async () => {
      if (away) throw new Error('away')
      return [{ labels: Object.fromEntries(labelNames.map((name) => [name, 'first'])), values: { queue_length: 3 } }]
    })
    assert.equal(linesOf(await metrics.text()).length, 1)
    away = true
    assert.deepEqual(linesOf(await metrics.text()), [])
  }
})

test('a scrape does not wait for a database that says nothing, and does not ask it twice at once', async () => {
  const metrics = createMetrics({ service: 'things' })
  metrics.counter('things_total', 'Things.').inc()
  let asked = 0
  const silent = Promise.withResolvers<never[]>()
  metrics.measured({ queue_length: 'Length.' }, [], () => {
    asked += 1
    return silent.promise
  })
  const started = performance.now()
  const texts = await Promise.all([metrics.text(), metrics.text()])
  assert.ok(performance.now() - started < 20_000)
  for (const text of texts) {
    assert.match(text, /^things_total\{/m)
    assert.deepEqual(linesOf(text), [])
  }
  assert.equal(asked, 1)
  silent.resolve([])
})
