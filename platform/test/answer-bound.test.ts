import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { waitFor } from '../../test/infra/wait.ts'
import { createHttpPool } from '../http-pool.ts'

const small = 1_000
const large = 200_000
/** All that are read at once may have eight times as much. */
const answerLimit = 210_000
const total = 8 * answerLimit

/** Answers that have sent all but their last byte. */
let open: ServerResponse[] = []
const server = createServer(({ url }, response) => {
  const size = Number(url?.slice(1))
  response.writeHead(200, { 'content-length': size }).write(Buffer.alloc(size - 1))
  open.push(response)
})
const asked = (size: number) => ({ path: `/${size}`, headers: [], body: '', time: 20_000 })
let origin: string
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.closeAllConnections()
  server.close()
})

test('of answers that are too much together the large ones end, the small ones are read, and the room is free again', async () => {
  const pool = createHttpPool(origin, { answerLimit })
  const read = async (size: number) => (await pool.exchange(asked(size))).text.length
  for (let round = 0; round < 3; round++) {
    open = []
    const larges = Array.from({ length: 10 }, () => read(large).catch((error: Error) => error.name))
    await waitFor('the large answers', () => open.length === 10)
    const smalls = Array.from({ length: 20 }, () => read(small))
    await waitFor('all answers', () => open.length === 30)
    const refused = await Promise.any(
      larges.map(async (answer) => ((await answer) === 'TooMuchAtOnce' ? true : Promise.reject())),
    )
    assert.ok(refused)
    for (const response of open) response.end('x')
    assert.deepEqual(await Promise.all(smalls), Array(20).fill(small))
    const outcomes = await Promise.all(larges)
    const whole = outcomes.filter((outcome) => outcome === large).length
    assert.ok(whole >= 1 && whole <= total / large, `${whole} large ones were read`)
    assert.ok(outcomes.every((outcome) => outcome === large || outcome === 'TooMuchAtOnce'))
  }
  await pool.close()
})

test('one answer after another, however large together, is read', async () => {
  const pool = createHttpPool(origin, { answerLimit })
  for (let made = 0; made < 20; made++) {
    open = []
    const answer = pool.exchange(asked(large))
    await waitFor('the answer', () => open.length === 1)
    open[0]?.end('x')
    assert.equal((await answer).text.length, large)
  }
  await pool.close()
})
