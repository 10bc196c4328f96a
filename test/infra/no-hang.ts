import { after } from 'node:test'
import { isMainThread } from 'node:worker_threads'

/**
 * Loaded before each test file (`--import`): a file whose tests are over ends, also when one of them failed and left
 * something behind that would keep its process, and with it the whole run, for ever.
 */

/** Milliseconds for the file's own hooks to clean up. A shop that does not stop is killed after 35 s. */
const limit = 120_000

// The runner, and what a test forks or runs in a thread, load this too, and run no tests.
if (isMainThread && process.argv[1]?.endsWith('.test.ts')) {
  after(() => {
    const end = () => {
      console.error(`Still here after the tests: ${process.getActiveResourcesInfo()}`)
      process.exit(1)
    }
    setTimeout(end, limit).unref()
  })
}
