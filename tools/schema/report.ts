import type { Finding, Outcome, Report } from './check.ts'
import { lineOf } from './composition.ts'

/** What a report looks like: for people, for programs, and as annotations of GitHub. */
export const formats: Record<string, (report: Report) => string> = { text: asText, json: asJson, github: asAnnotations }

export function failed({ findings }: Report): boolean {
  return findings.some(({ outcome }) => outcome === 'fails')
}

const headings: Record<Outcome, string> = {
  fails: 'These changes break somebody, and fail the check:',
  warns: 'Look at these before you merge:',
  passes: 'Safe:',
}

function asText({ before, after, findings }: Report): string {
  if (findings.length === 0) return `No change of the schema between ${before} and ${after}.\n`
  const parts = (Object.keys(headings) as Outcome[]).flatMap((outcome) => {
    const own = findings.filter((finding) => finding.outcome === outcome)
    return own.length > 0 ? [`${headings[outcome]}\n\n${own.map(paragraph).join('\n')}`] : []
  })
  const count = (outcome: Outcome) => findings.filter((finding) => finding.outcome === outcome).length
  return [
    `Changes of the schema between ${before} and ${after}:`,
    ...parts,
    `${count('fails')} failed, ${count('warns')} to look at, ${count('passes')} safe.\n`,
  ].join('\n\n')
}

function paragraph(finding: Finding): string {
  return `  ${sentences(finding).join('\n      ')}`
}

/** What changed, who notices, and what to do. */
function sentences(finding: Finding): string[] {
  const { level, subgraph, advice } = finding
  const what = [level, ...(subgraph ? [`what ${subgraph} promises`] : [])].join(', ')
  return [`[${what}] ${lineOf(finding)}`, ...evidenceOf(finding), ...(advice ? [advice] : [])]
}

function evidenceOf({ usedBy }: Finding): string[] {
  if (usedBy.length === 0) return []
  const clients = [...new Set(usedBy.map((id) => id.split('/')[0]))]
  return [`Used by ${usedBy.join(', ')} (client${clients.length > 1 ? 's' : ''} ${clients.join(', ')}).`]
}

function asJson(report: Report): string {
  return `${JSON.stringify({ ...report, failed: failed(report) }, null, 2)}\n`
}

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions#setting-an-error-message */
function asAnnotations({ findings }: Report): string {
  const commands: Record<Outcome, string> = { fails: 'error', warns: 'warning', passes: 'notice' }
  return findings
    .map((finding) => {
      const { outcome, kind, subject, file, line, message, advice } = finding
      const text = [message, ...evidenceOf(finding), ...(advice ? [advice] : [])].join('\n')
      const properties = {
        ...(file && { file }),
        ...(line && { line: String(line) }),
        title: [kind, subject].filter(Boolean).join(' '),
      }
      const written = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(value)}`)
      return `::${commands[outcome]} ${written.join(',')}::${escapeData(text)}\n`
    })
    .join('')
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
