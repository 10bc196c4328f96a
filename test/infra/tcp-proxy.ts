import { connect, createServer, type Socket } from 'node:net'
import { freePorts } from '../../tools/infra/ports.ts'

/** A way to a server that can be taken away and brought back, at a port that stays its own. */
export type TcpProxy = {
  readonly port: number
  /** Connections that go through it now. */
  readonly connections: number
  /** Resets every connection and refuses new ones, as a server does that was killed. */
  cut(): Promise<void>
  /** Keeps every connection and takes new ones, and lets nothing through: a network that swallows all, or a server that hangs. */
  silence(): void
  /** Lets through what was held back, and whatever is new. */
  restore(): Promise<void>
  stop(): Promise<void>
}

export async function startTcpProxy(target: number, host = '127.0.0.1'): Promise<TcpProxy> {
  const [port = 0] = await freePorts(1)
  const pairs = new Set<readonly [Socket, Socket]>()
  let silent = false

  const server = createServer((inner) => {
    const outer = connect(target, host)
    const pair = [inner, outer] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [outer, inner] as const]) {
      from.setNoDelay(true)
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause()
      })
      from.on('drain', () => {
        if (!silent) to.resume()
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
      if (silent) from.pause()
    }
  })
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })

  async function cut(): Promise<void> {
    const closed = server.listening && new Promise((resolve) => server.close(resolve))
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy()
    await closed
  }
  await listen()
  return {
    port,
    get connections() {
      return pairs.size
    },
    cut,
    silence() {
      silent = true
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    async restore() {
      silent = false
      for (const pair of pairs) for (const socket of pair) socket.resume()
      if (!server.listening) await listen()
    },
    stop: cut,
  }
}
