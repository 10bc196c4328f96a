/** The place of a service: sends the statements of a call, answers as many bytes, and does nothing else. */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { hash, verify } from '@node-rs/argon2'
import pg from 'pg'
import { type Kind, password } from '../shop/mix.ts'
import { exchange, rows, type Statements } from './exchange.ts'

const [, , url, port] = process.argv
const pool = new pg.Pool({ connectionString: url, max: 10 })
const hashed = await hash(password, { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 })

const read = { name: 'read', text: 'SELECT value FROM things WHERE id = $1' }
const write = { name: 'write', text: 'UPDATE things SET n = n + 1 WHERE id = $1' }

async function send({ reads = 0, writes = 0 }: Statements): Promise<void> {
  for (let n = 0; n < reads + writes; n++) {
    await pool.query({ ...(n < reads ? read : write), values: [Math.floor(Math.random() * rows)] })
  }
}

createServer(async (request, response) => {
  await text(request)
  const [, kind = '', index = 0] = request.url?.split('/') ?? []
  const call = exchange[decodeURIComponent(kind) as Kind][Number(index)]
  if (!call) return void response.writeHead(404).end()
  await send(call)
  if (call.hashes) await verify(hashed, password)
  response.end('x'.repeat(call.bytes))
  await send(call.later ?? {})
}).listen(Number(port), '127.0.0.1', () => process.send?.('ready'))
