import { type ParseArgsConfig, parseArgs } from 'node:util'

/** The arguments of a command. One that it does not know is answered with its usage, and ends it with 2. */
export function optionsOf<T extends ParseArgsConfig>(usage: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch {
    return refuse(usage)
  }
}

/** Ends a command that was called in a way that it does not know. */
export function refuse(usage: string): never {
  console.error(`Usage: ${usage}`)
  process.exit(2)
}
