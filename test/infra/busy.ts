/** Loaded into a process before its own code (`--import`): each SIGUSR2 makes it behind with its work all the time, or ends that. */

/** Milliseconds that each turn of the event loop takes. */
const turnTime = 400
let busy = false

function turn(): void {
  if (!busy) return
  const end = performance.now() + turnTime
  while (performance.now() < end);
  setTimeout(turn, 0)
}

process.on('SIGUSR2', () => {
  busy = !busy
  turn()
})
