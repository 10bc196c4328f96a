import { ConfigError } from './env.ts'
import { createLog, type Log } from './log.ts'
import { type ExportConfig, startExport } from './telemetry/export.ts'

/** The phases of a process: starting, ready, stopping. */
export type Lifecycle = {
  /** True from the end of the start until the stop begins. */
  readonly ready: boolean
  /** Registers what the stop undoes. The last registered is undone first. */
  onStop(name: string, undo: () => Promise<unknown> | unknown): void
}

export type Running<Config> = { config: Config; log: Log; lifecycle: Lifecycle }

/** Milliseconds that a stop may take before the process exits all the same. */
const stopLimit = 30_000

/**
 * Runs a process: reads its settings, starts it, and stops it on SIGTERM, SIGINT or SIGHUP, or when the process that
 * started it with a channel to it is gone. A second signal exits at once. A start that fails undoes what it did and exits
 * with 1, after one message that says why.
 *
 * Guarantee: not ready before anything is undone, and everything is undone in the reverse order of its making.
 */
export async function run<Config extends { LOG_LEVEL: string } & Partial<ExportConfig>>(
  service: string,
  readConfig: () => Config,
  start: (running: Running<Config>) => Promise<void>,
): Promise<void> {
  const config = configOrExit(readConfig)
  const log = createLog({ service, level: config.LOG_LEVEL })
  const undoes: { name: string; undo: () => Promise<unknown> | unknown }[] = []
  let phase: 'starting' | 'ready' | 'stopping' = 'starting'

  async function stop(reason: string, exitCode: number): Promise<void> {
    if (phase === 'stopping') return
    phase = 'stopping'
    log.info('stopping', { reason })
    setTimeout(() => {
      log.error('did not stop in time', { limit: stopLimit })
      process.exit(1)
    }, stopLimit).unref()
    for (const { name, undo } of undoes.reverse()) {
      try {
        await undo()
      } catch (error) {
        log.error('stopping failed', { part: name, error })
      }
    }
    log.info('stopped')
    process.exit(exitCode)
  }

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (phase === 'stopping') process.exit(1)
      void stop(signal, 0)
    })
  }
  process.on('disconnect', () => void stop('the starting process is gone', 0))
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.error(event, { error })
      void stop(event, 1)
    })
  }

  try {
    // Stopped last, so that it has what the stop of all else did.
    undoes.push({ name: 'traces', undo: await startExport(service, config, log) })
    await start({
      config,
      log,
      lifecycle: {
        get ready() {
          return phase === 'ready'
        },
        onStop(name, undo) {
          undoes.push({ name, undo })
        },
      },
    })
    if (phase === 'starting') {
      phase = 'ready'
      log.info('ready')
      process.send?.('ready')
    }
  } catch (error) {
    log.error('start failed', { error })
    await stop('start failed', 1)
  }
}

function configOrExit<Config>(readConfig: () => Config): Config {
  try {
    return readConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}
