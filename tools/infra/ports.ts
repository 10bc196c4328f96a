import { createServer, type Server } from 'node:net'

/**
 * Where ports are taken from: below those that systems give to connections and to whoever listens on any port, so that
 * one which is free now is not taken before it is listened on, or while its process starts again.
 */
const range = { first: 10_000, last: 31_999 }
/** A block of ports is its holder's who listens on its first one, for as long as the process lives. */
const blockSize = 50
const blocks = Math.floor((range.last - range.first + 1) / blockSize)

/** What is left of the block that this process holds. */
const left: number[] = []
/** Requests one after the other: each takes what the one before left. */
let last: Promise<unknown> = Promise.resolve()

/** Ports of this machine that nothing listens on, each given once and to one process that asks here. */
export function freePorts(count: number): Promise<number[]> {
  const ports = last.then(() => take(count))
  last = ports.catch(() => {})
  return ports
}

async function take(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = left.shift()
    if (port === undefined) left.push(...(await holdBlock()))
    else if (!(await listenFault(port))) ports.push(port)
  }
  return ports
}

async function holdBlock(): Promise<number[]> {
  const start = Math.floor(Math.random() * blocks)
  for (let n = 0; n < blocks; n++) {
    const first = range.first + ((start + n) % blocks) * blockSize
    try {
      ;(await listen(first)).unref()
      return Array.from({ length: blockSize - 1 }, (_, index) => first + 1 + index)
    } catch {
      // Another's block, or a port of something else.
    }
  }
  throw new Error(`All ports from ${range.first} to ${range.last} are taken.`)
}

/** Why a port cannot be listened on, as the system's code for it. Undefined when it can; any port where it is 0. */
export async function listenFault(port: number, host = '127.0.0.1'): Promise<string | undefined> {
  try {
    await close(await listen(port, host))
    return undefined
  } catch (error) {
    return String((error as { code?: unknown }).code)
  }
}

function listen(port: number, host = '127.0.0.1'): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
