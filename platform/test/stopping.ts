import type { Lifecycle, Undo } from '../lifecycle.ts'

/** The lifecycle of a part of a test, which is ready until it is stopped as a process would be. */
export function stoppable() {
  const undoes: Undo[] = []
  let stopping = false
  const lifecycle: Lifecycle = {
    get ready() {
      return !stopping
    },
    get stopping() {
      return stopping
    },
    onStop: (_name, undo) => void undoes.unshift(undo),
  }
  return {
    lifecycle,
    async stop(orderly = true): Promise<void> {
      stopping = true
      const start = performance.now()
      for (const undo of undoes.splice(0)) await undo({ orderly, elapsed: performance.now() - start })
    },
  }
}
