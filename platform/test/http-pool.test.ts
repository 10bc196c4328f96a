import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { createHttpPool } from '../http-pool.ts'

test('a connection on which nothing is asked is closed after a second, whatever the other side would allow', async () => {
  const server = createServer({ keepAliveTimeout: 60_000 }, (_request: IncomingMessage, response) => response.end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const pool = createHttpPool(`http://127.0.0.1:${port}`, { connections: 1, answerLimit: 1_000 })
  const connected = once(server, 'connection')
  const ask = async () => {
    const { headers } = await pool.exchange({ path: '/', headers: [], body: '{}', time: 5_000 })
    return headers['keep-alive']
  }
  assert.equal(await ask(), 'timeout=60')
  const [socket]: Socket[] = await connected
  const start = performance.now()
  await ask()
  if (socket && !socket.closed) await once(socket, 'close')
  const kept = performance.now() - start
  assert.ok(kept > 500 && kept < 30_000, `kept for ${kept} ms`)
  await pool.close()
  server.close()
})
