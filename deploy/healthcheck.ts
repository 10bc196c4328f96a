/** Ends with 0 when the process that listens on the port given is ready: `node deploy/healthcheck.ts 4000`. */
const port = Number(process.argv[2])
try {
  const { ok } = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_000) })
  process.exitCode = ok ? 0 : 1
} catch {
  process.exitCode = 1
}
