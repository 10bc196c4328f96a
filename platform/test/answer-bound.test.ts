import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { Pool } from 'undici'
import { waitFor } from '../../test/infra/wait.ts'
import { boundAnswers } from '../answer-bound.ts'

const small = 1_000
const large = 200_000
const total = 1_000_000

/** Answers that have sent all but their last byte. */
let open: ServerResponse[] = []
const server = createServer(({ url }, response) => {
  const size = Number(url?.slice(1))
  response.writeHead(200, { 'content-length': size }).write(Buffer.alloc(size - 1))
  open.push(response)
})
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
  const pool = new Pool(origin).compose(boundAnswers({ total, each: 10 * small }))
  const read = async (size: number) =>
    (await (await pool.request({ method: 'GET', path: `/${size}` })).body.bytes()).length
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
  const pool = new Pool(origin).compose(boundAnswers({ total, each: 10 * small }))
  for (let made = 0; made < 20; made++) {
    open = []
    const answer = pool.request({ method: 'GET', path: `/${large}` }).then(({ body }) => body.bytes())
    await waitFor('the answer', () => open.length === 1)
    open[0]?.end('x')
    assert.equal((await answer).length, large)
  }
  await pool.close()
})
