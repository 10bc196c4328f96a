import { isShop } from './report.ts'
import { type Step, target } from './run.ts'

const [width, height, left, top] = [720, 300, 60, 40]
const percentiles = { p50: '#4a7', p95: '#c90', p99: '#c33' } as const
const colours = ['#4e79a7', '#f28e2b', '#59a14f', '#b07aa1', '#edc948', '#e15759', '#9c755f', '#76b7b2', '#bab0ac']

/** Latency over the rate of each step, and the CPU of each process at the last one that `chosen` names, as SVG. */
export function chart(title: string, steps: readonly Step[], chosen: Step): string {
  const sorted = [...steps].sort((a, b) => a.rate - b.rate)
  const highest = Math.max(target.p99 * 2, ...sorted.map(({ all }) => all.p99))
  const fastest = Math.max(...sorted.map(({ rate }) => rate))
  const x = (rate: number) => left + (rate / fastest) * (width - left - 20)
  // Logarithmic, from 1 ms.
  const y = (ms: number) => top + height * (1 - Math.log(Math.max(1, ms)) / Math.log(highest))
  const lines = Object.entries(percentiles).flatMap(([name, colour], index) => {
    const points = sorted.map(({ rate, all }) => [x(rate), y(all[name as keyof typeof percentiles])] as const)
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map((point) => point.join()).join(' ')}"/>`,
      ...points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
      text(width - 60, top + 16 * index, name, colour),
    ]
  })
  const marks = [1, 10, target.p99, 100, 1_000, 10_000].filter((ms) => ms <= highest)
  const grid = marks.flatMap((ms) => [
    `<line x1="${left}" x2="${width - 20}" y1="${y(ms)}" y2="${y(ms)}" stroke="${ms === target.p99 ? '#c33' : '#ddd'}"/>`,
    text(8, y(ms) + 4, `${ms} ms`),
  ])
  const rates = sorted.map(({ rate }) => text(x(rate) - 12, top + height + 16, String(rate)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + 180}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    text(left, 20, `${title}: latency by requests a second`),
    ...grid,
    ...lines,
    ...rates,
    ...shares(chosen, height + 90),
    '</svg>\n',
  ].join('\n')
}

/** One bar, in which each process of the shop has its share of the CPU. */
function shares({ rate, used, all }: Step, at: number): string[] {
  const parts = Object.entries(used.parts).filter(([name, ms]) => isShop(name) && ms > 0)
  const sum = parts.reduce((total, [, ms]) => total + ms, 0)
  let from = left
  const bars = parts.flatMap(([name, ms], index) => {
    const wide = (ms / sum) * (width - left - 20)
    const colour = colours[index % colours.length] ?? ''
    const bar = `<rect x="${from}" y="${at + 8}" width="${wide}" height="24" fill="${colour}"/>`
    from += wide
    const label = `${name} ${((ms / sum) * 100).toFixed(0)} %`
    return [bar, text(left + (index % 4) * 150, at + 52 + 16 * Math.floor(index / 4), label, colour)]
  })
  return [text(left, at, `CPU of the shop at ${rate} a second: ${(sum / all.count).toFixed(2)} ms a request`), ...bars]
}

function text(x: number, y: number, content: string, colour = '#333'): string {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" fill="${colour}">${safe}</text>`
}
