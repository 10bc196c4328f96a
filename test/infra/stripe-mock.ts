import { spawn, spawnSync } from 'node:child_process'
import { listening } from '../../tools/infra/listening.ts'
import { freePorts } from '../../tools/infra/ports.ts'

/** Stripe's own mock of its API, which keeps nothing: it checks what it is asked, and answers with examples. */
export type StripeMock = { readonly url: string; stop(): void }

/** Whether the server can be started here. */
export function hasStripeMock(): boolean {
  return spawnSync('stripe-mock', ['-version']).status === 0
}

/** Starts a server of our own. It ends with this process at the latest. */
export async function startStripeMock(): Promise<StripeMock> {
  const [port = 0, securePort = 0] = await freePorts(2)
  // It serves HTTPS too, on a port of its own choice unless it is told one.
  const addresses = ['-http-addr', `127.0.0.1:${port}`, '-https-addr', `127.0.0.1:${securePort}`]
  const server = spawn('stripe-mock', addresses, { stdio: 'ignore', detached: true })
  function stop(): void {
    process.off('exit', stop)
    server.kill('SIGKILL')
  }
  process.on('exit', stop)
  await listening(server, { name: 'stripe-mock', port })
  return { url: `http://127.0.0.1:${port}`, stop }
}
