/**
 * Milliseconds of CPU that this thread spends on `work`, in the best of so many rounds: what the machine does besides, and
 * what is compiled or collected on the way, is not counted. Work that takes too long takes too long every time.
 */
export function cpuTimeOf(work: () => unknown, rounds = 3): number {
  const times = Array.from({ length: rounds }, () => {
    const before = process.threadCpuUsage()
    work()
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.min(...times)
}
