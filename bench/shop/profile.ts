import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../../tools/services.ts'

type CallFrame = { functionName: string; url: string; lineNumber: number }
type Profile = {
  nodes: { id: number; callFrame: CallFrame }[]
  samples: number[]
  /** Microseconds of the machine's monotonic clock, and between samples. */
  startTime: number
  timeDeltas: number[]
}

const most = 15

/** The functions in which each process was longest, of the samples between two times of `process.hrtime`, in microseconds. */
export function readProfiles(folder: string, [from, to]: [number, number]): string {
  const texts = readdirSync(folder).map((file) => {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile
    return `${file.replace('.cpuprofile', '')}: self time of what it ran, idle apart\n${linesOf(profile, from, to).join('\n')}`
  })
  return texts.join('\n\n')
}

function linesOf({ nodes, samples, startTime, timeDeltas }: Profile, from: number, to: number): string[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  let at = startTime
  for (const [index, delta] of timeDeltas.entries()) {
    at += delta
    if (at < from || at > to) continue
    // A sample stands for the time until the next.
    const name = frames.get(samples[index] ?? 0) ?? ''
    times.set(name, (times.get(name) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0))
  }
  for (const idle of ['(idle)', '(root)']) times.delete(idle)
  const all = [...times.values()].reduce((sum, time) => sum + time, 0)
  const longest = [...times].sort(([, a], [, b]) => b - a).slice(0, most)
  return longest.map(([name, time]) => `${((time / all) * 100).toFixed(1).padStart(6)} %  ${name}`)
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName || '(anonymous)'
  if (!url) return name
  const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url
  return `${name}  ${file.replace(/^.*node_modules\//, '')}:${lineNumber + 1}`
}
