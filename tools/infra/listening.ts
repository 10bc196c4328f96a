import type { ChildProcess } from 'node:child_process'
import { connect } from 'node:net'

/** Milliseconds between looks. */
const interval = 10

/**
 * Waits until a server that was started listens on its port. Rejects where it ends before, or takes longer than `limit`
 * milliseconds. It looks by connecting: to listen on the port oneself, only to see whether one can, would keep a server from it.
 */
export async function listening(
  server: ChildProcess,
  { name, port, limit = 60_000 }: { name: string; port: number; limit?: number },
): Promise<void> {
  const deadline = Date.now() + limit
  while (!(await accepts(port))) {
    if (hasEnded(server) || Date.now() > deadline) throw new Error(`${name} did not start.`)
    await new Promise((resolve) => setTimeout(resolve, interval))
  }
}

/** Whether a process has ended, by itself or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
