import { request } from 'undici'

/** Series of a process by their name and labels, without the label of the service, which all have. */
export type Scrape = ReadonlyMap<string, number>

/** Reads `/metrics`. https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md */
export async function scrape(url: string): Promise<Scrape> {
  const { body } = await request(`${url}/metrics`)
  const lines = (await body.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      const series = line
        .slice(0, space)
        .replace(/,?service="[^"]*"/, '')
        .replace('{}', '')
        .replace('{,', '{')
      return [series, Number(line.slice(space + 1))]
    }),
  )
}

/** How much a name with these labels has grown from one scrape to the next, all series together that have them. */
export function growth(before: Scrape, after: Scrape, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const sum = (scraped: Scrape) =>
    [...scraped]
      .filter(([series]) => series.split('{')[0] === name && wanted.every((label) => series.includes(label)))
      .reduce((total, [, value]) => total + value, 0)
  return sum(after) - sum(before)
}
