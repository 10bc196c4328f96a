import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Lifecycle } from './lifecycle.ts'

/** Milliseconds that it waits for the first byte on a new connection. */
const silenceLimit = 500

export type ListenOptions = {
  host: string
  port: number
  /** Milliseconds from the beginning of a stop for which connections are still taken. */
  shutdownDelay: number
  lifecycle: Lifecycle
  /** Milliseconds that a stop waits for requests under way: more than one may take. Default 15000. */
  drainLimit?: number
}

/**
 * Listens until the process stops. Callers first have time to learn of the stop, and are served meanwhile. Then no new
 * connections are taken, idle ones are closed, and requests under way have some time to be answered.
 */
export async function listen(app: FastifyInstance, options: ListenOptions): Promise<void> {
  const { host, port, shutdownDelay, lifecycle, drainLimit = 15_000 } = options
  const connections = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  await app.listen({ host, port })
  lifecycle.onStop('http', async () => {
    // Node takes a connection on which nothing was sent yet for a busy one.
    const closeSilent = () => [...connections].filter(({ bytesRead }) => bytesRead === 0).map((one) => one.destroy())
    const timers = [
      setTimeout(closeSilent, silenceLimit),
      setTimeout(() => app.server.closeAllConnections(), drainLimit),
    ]
    await app.close()
    for (const timer of timers) clearTimeout(timer)
  })
  lifecycle.onStop('callers', ({ orderly, elapsed }) => orderly && sleep(Math.max(0, shutdownDelay - elapsed)))
}
