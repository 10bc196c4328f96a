import { LRUCache } from 'lru-cache'

/** Uses of a statement before it is prepared: a text that is made for one call is not kept by every connection. */
const usesBefore = 5
/** Statements that each connection keeps prepared at the most. */
const mostPrepared = 100
/** Texts whose uses are counted, and bytes of them. */
const mostCounted = 1_000
const mostBytes = 2 * 1024 * 1024

/**
 * Names for statements that come again and again. PostgreSQL parses and plans a statement with a name once for each connection.
 *
 * Guarantee: a name stands for one text as long as the process lives, and there are at most `mostPrepared` of them. What is used
 * seldom, or comes when all names are given, is sent without one: its name is empty.
 */
export function createStatementNames(): (statement: { readonly sql: string }) => string {
  const names = new Map<string, string>()
  const uses = new LRUCache<string, number>({ max: mostCounted, maxSize: mostBytes, sizeCalculation: textSize })

  return ({ sql }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size === mostPrepared) return ''
    const used = (uses.get(sql) ?? 0) + 1
    if (used < usesBefore) {
      uses.set(sql, used)
      return ''
    }
    uses.delete(sql)
    const name = `commerce_${names.size}`
    names.set(sql, name)
    return name
  }
}

function textSize(_uses: number, sql: string): number {
  return sql.length * 2
}
