/** The results as a picture for the README: bars of CPU per request, each against bare Apollo. No script, no fonts of its own. */
import { operationNames } from './operations.ts'
import type { Results } from './report.ts'
import { type RowName, rowNames, rows } from './rows.ts'

const width = 760
const labelWidth = 250
const barHeight = 16
const gap = 4
const margin = 12
const barWidth = width - labelWidth - 110

/** Readable on light and on dark: the colours follow the reader's preference, on a ground of their own whatever the page has. */
const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .value { font-variant-numeric: tabular-nums; fill: #57606a }
  .ground { fill: #ffffff } .other { fill: #afb8c1 } .own { fill: #1f883d }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .value { fill: #9198a1 } .ground { fill: #0d1117 } .other { fill: #484f58 } .own { fill: #3fb950 }
  }`

/** An SVG document. Shorter bars are better. */
export function chartOf(results: Results): string {
  const parts: string[] = []
  let y = 24
  const text = (x: number, kind: string, content: string) =>
    parts.push(`<text x="${x}" y="${y}"${kind && ` class="${kind}"`}>${content}</text>`)
  text(0, 'title', 'CPU per request, milliseconds: shorter is better')
  for (const operation of operationNames) {
    const measured = rowNames.flatMap((name) => {
      const cpu = results[name]?.operations[operation]?.cpu
      return cpu === undefined ? [] : [{ name, cpu }]
    })
    if (measured.length === 0) continue
    const longest = Math.max(...measured.map(({ cpu }) => cpu))
    const reference = results.apollo?.operations[operation]?.cpu
    y += 32
    text(0, 'title', operation)
    for (const { name, cpu } of measured) {
      y += barHeight + gap
      text(0, '', rows[name].label)
      const length = Math.max(1, (cpu / longest) * barWidth).toFixed(1)
      parts.push(
        `<rect x="${labelWidth}" y="${y - 12}" width="${length}" height="${barHeight}" rx="2" class="${kindOf(name)}"/>`,
      )
      const ratio = reference === undefined ? '' : `, ${(cpu / reference).toFixed(2)}x`
      text(labelWidth + Number(length) + 8, 'value', `${cpu.toFixed(2)}${ratio}`)
    }
  }
  const height = y + 16
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-margin} 0 ${width + 2 * margin} ${height}" width="${width + 2 * margin}" height="${height}" role="img" aria-label="CPU per request of several gateways">`
  const ground = `<rect class="ground" x="${-margin}" width="${width + 2 * margin}" height="${height}"/>`
  return `${[head, `<style>${style}\n</style>`, ground, ...parts, '</svg>'].join('\n')}\n`
}

function kindOf(name: RowName): string {
  return name.startsWith('ours') ? 'own' : 'other'
}
