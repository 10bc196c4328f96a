import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parents, processFile, proportionalSize } from '../../tools/infra/processes.ts'
import { processNames } from '../../tools/stack.ts'
import type { Shop } from './shop.ts'

/** Milliseconds of one of the system's ticks, of which there are 100 a second on Linux. */
const tick = 10

/** CPU milliseconds of each part of the shop, of the machine's other processes, and of none. */
export type Used = { parts: Record<string, number>; others: number; idle: number; wall: number }

/** Reads what each part of the shop uses of the machine, its load generator and this process included. Linux only. */
export function createUsage({ stack, data }: Pick<Shop, 'stack' | 'data'>, generator: number) {
  function groups(): [string, number[]][] {
    const parentOf = parents()
    const children = (pid: number) => [...parentOf].flatMap(([child, parent]) => (parent === pid ? [child] : []))
    const server = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
    const own = children(process.pid)
    const running = (program: string) => own.filter((pid) => processFile(pid, 'comm').trim() === program)
    return [
      ...processNames.map((name): [string, number[]] => {
        const instances = [stack.processes[name], ...stack.twins(name).map(({ process }) => process)]
        const pids = instances.map(({ pid }) => pid ?? 0)
        // With what each has forked, as a gateway of several workers does.
        return [name, [...pids, ...pids.flatMap(children)]]
      }),
      ['PostgreSQL', [server, ...children(server)]],
      ['Kafka', running('java')],
      ['Redis', running('redis-server')],
      ['Consul', running('consul')],
      ['load generator', [generator]],
      ['measuring', [process.pid]],
    ]
  }

  function now(): Used {
    const parts = Object.fromEntries(
      groups().map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + cpuOf(pid, name === 'PostgreSQL'), 0)]),
    )
    const [, ...times] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).map(Number)
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = times
    const busy = (user + nice + system + irq + soft + steal) * tick
    const own = Object.values(parts).reduce((sum, ms) => sum + ms, 0)
    return { parts, others: busy - own, idle: (idle + wait) * tick, wall: performance.now() }
  }

  return {
    /** Begins to measure; what it answers ends it. */
    begin(): () => Used {
      const before = now()
      return () => {
        const after = now()
        const parts = Object.fromEntries(
          Object.entries(after.parts).map(([name, ms]) => [name, ms - (before.parts[name] ?? 0)]),
        )
        const { others, idle, wall } = before
        return { parts, others: after.others - others, idle: after.idle - idle, wall: after.wall - wall }
      }
    },
    /** Bytes of each part, as proportional set size. */
    memory: (): Record<string, number> =>
      Object.fromEntries(
        groups().map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + proportionalSize(pid), 0)]),
      ),
  }
}

export type Usage = ReturnType<typeof createUsage>

/** CPU milliseconds of a process since it began, ended threads included; of a server's `children` those that ended too. */
function cpuOf(pid: number, children: boolean): number {
  // After the name, which may hold anything, come the state and then numbers: proc(5), from the third field on.
  const fields = processFile(pid, 'stat').split(') ').at(-1)?.split(' ').map(Number) ?? []
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15)
  return (user + system + (children ? childrenUser + childrenSystem : 0)) * tick
}
