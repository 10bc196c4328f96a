import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { parse } from 'yaml'
import { root } from '../../tools/services.ts'

type Rule = {
  record?: string
  alert?: string
  expr: string
  labels?: { severity?: string }
  annotations?: { summary?: string }
}
type Panel = {
  id: number
  type: string
  title: string
  targets: { expr: string }[]
  gridPos: { x: number; y: number; w: number; h: number }
}
type Dashboard = { uid: string; title: string; panels: Panel[] }

/** Files of rules, and under the same names those of their tests. */
export const ruleFiles = ['alerts.yml', 'pool-alerts.yml']
export const rules: Rule[] = ruleFiles.flatMap((file) =>
  parse(readFileSync(join(root, 'deploy/prometheus', file), 'utf8')).groups.flatMap(
    ({ rules }: { rules: Rule[] }) => rules,
  ),
)

export const dashboards: Dashboard[] = globSync('deploy/grafana/dashboards/*.json', { cwd: root }).map((file) => {
  const dashboard: Dashboard = JSON.parse(readFileSync(join(root, file), 'utf8'))
  if (`${dashboard.uid}.json` !== basename(file)) throw new Error(`${file} has the uid ${dashboard.uid}.`)
  return dashboard
})

/** The series that an expression asks for, each as `name{matchers}`. Throws for what is no PromQL. */
export function selectorsOf(expression: string): string[] {
  const selectors: string[] = []
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`No PromQL at ${node.from}: ${expression}`)
      if (node.name === 'VectorSelector') selectors.push(expression.slice(node.from, node.to))
    },
  })
  return selectors
}
