import { constants } from 'node:os'
import { ConfigError, type Parsed, type processSettings, readEnv, type Schema, type Settings } from './env.ts'
import { createLive, type Fixed, type Live } from './live.ts'
import { createLog, type Log } from './log.ts'
import { type ExportConfig, startExport } from './telemetry/export.ts'

/** The phases of a process: starting, ready, stopping. */
export type Lifecycle = {
  /** True from the end of the start until the stop begins. */
  readonly ready: boolean
  /** True once the stop has begun. */
  readonly stopping: boolean
  /** Registers what the stop undoes. The last registered is undone first. */
  onStop(name: string, undo: Undo): void
}

export type Undo = (stop: Stop) => Promise<unknown> | unknown

/** A stop under way. */
export type Stop = {
  /** Whether the process works and was ready: whoever still asks it is answered. */
  readonly orderly: boolean
  /** Milliseconds since it began. */
  readonly elapsed: number
}

export type Running<S extends Settings> = {
  /** The settings that stay as they are. */
  config: Fixed<S>
  /** Those that may change, to be read at each use. */
  live: Live<S>
  log: Log
  lifecycle: Lifecycle
}

/** Milliseconds that a stop may take before the process exits all the same. */
const stopLimit = 30_000

/**
 * Runs a process: reads its settings, starts it, and stops it on SIGTERM, SIGINT or SIGHUP, or when the process that
 * started it with a channel to it is gone. A start that fails undoes what it did and exits with 1, after one message that
 * says why.
 *
 * Guarantees: not ready before anything is undone, and everything is undone in the reverse order of its making. A process
 * that was ready then ends by itself, with 0, since nothing is left that it could do. One that has not ended after 30 s says
 * what keeps it, and exits with 1; a second signal exits at once, with 128 and the signal's number.
 */
export async function run<S extends Settings & Pick<typeof processSettings, 'LOG_LEVEL' | keyof ExportConfig>>(
  service: string,
  schema: Schema<S>,
  start: (running: Running<S>) => Promise<void>,
): Promise<void> {
  const config = configOrExit(schema)
  const live = createLive(schema, config)
  const log = createLog({ service, level: () => live.current.LOG_LEVEL })
  const undoes: { name: string; undo: Undo }[] = []
  let phase: 'starting' | 'ready' | 'stopping' = 'starting'

  async function stop(reason: string, exitCode: number): Promise<void> {
    if (phase === 'stopping') return
    const orderly = phase === 'ready' && exitCode === 0
    const startedAt = performance.now()
    const elapsed = () => Math.round(performance.now() - startedAt)
    let part: string | undefined
    phase = 'stopping'
    log.info('stopping', { reason })
    setTimeout(() => {
      log.error('did not stop in time', { limit: stopLimit, part, resources: process.getActiveResourcesInfo() })
      process.exit(1)
    }, stopLimit).unref()
    for (let next = undoes.pop(); next; next = undoes.pop()) {
      part = next.name
      try {
        await next.undo({ orderly, elapsed: elapsed() })
      } catch (error) {
        log.error('stopping failed', { part, error })
      }
    }
    part = undefined
    log.info('stopped', { milliseconds: elapsed() })
    // What failed, or was cut off in its start, may have left anything behind.
    if (!orderly) process.exit(exitCode)
    process.channel?.unref()
  }

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (phase === 'stopping') process.exit(128 + constants.signals[signal])
      void stop(signal, 0)
    })
  }
  process.on('disconnect', () => void stop('the starting process is gone', 0))
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.error(event, { error })
      process.exitCode = 1
      void stop(event, 1)
    })
  }

  try {
    // Stopped last, so that it has what the stop of all else did.
    undoes.push({ name: 'traces', undo: await startExport(service, config, log) })
    await start({
      config,
      live,
      log,
      lifecycle: {
        get ready() {
          return phase === 'ready'
        },
        get stopping() {
          return phase === 'stopping'
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

function configOrExit<S extends Settings>({ settings, rules }: Schema<S>): Parsed<S> {
  try {
    return readEnv(settings, rules)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}
