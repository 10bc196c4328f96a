import type { SqlQuery, SqlQueryable } from '@prisma/driver-adapter-utils'

/** A node of a plan, as EXPLAIN tells of it. https://www.postgresql.org/docs/current/sql-explain.html */
type PlanNode = {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly PlanNode[]
}

/** How a statement finds the products that it reads. */
export type Plan = { readonly sql: string; readonly indexes: readonly string[]; readonly scansAll: boolean }

/** The plans of those statements that read products, with the values they were sent with. */
export async function productPlans(database: SqlQueryable, statements: readonly SqlQuery[]): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const statement of statements) {
    const { rows } = await database.queryRaw({ ...statement, sql: `EXPLAIN (FORMAT JSON) ${statement.sql}` })
    const [{ Plan: top }] = JSON.parse(String(rows[0]?.[0])) as [{ Plan: PlanNode }]
    const nodes = withAllBelow(top)
    const reading = nodes.filter((node) => node['Relation Name'] === 'products')
    if (reading.length === 0) continue
    plans.push({
      sql: statement.sql,
      indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
      scansAll: reading.some((node) => node['Node Type'] === 'Seq Scan'),
    })
  }
  return plans
}

function withAllBelow(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(withAllBelow)]
}
