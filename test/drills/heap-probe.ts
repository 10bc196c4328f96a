/**
 * Loaded into a process before its own code (`--import`, with `--expose-gc`): on SIGUSR2 it writes to the file
 * named by HEAP_FILE how many bytes are in use once what nobody needs is collected.
 */
import { writeFileSync } from 'node:fs'

process.on('SIGUSR2', () => {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  writeFileSync(process.env.HEAP_FILE ?? '', String(heapUsed + external))
})
