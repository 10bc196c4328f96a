import type { Log } from '../log.ts'
import { openPostgresLog } from './postgres-log.ts'
import type { RecordLog, StoredRecord } from './records.ts'

/** Records that are read at once. */
const pageSize = 500

/** The records of the event log's tables. */
export function openPostgresRecords(options: { url: string; log: Log }): RecordLog {
  const { pool, prepare, append } = openPostgresLog(options)
  return {
    async topics() {
      await prepare()
      const { rows } = await pool.query<{ topic: string }>('SELECT DISTINCT topic FROM bus_partitions')
      return rows.map(({ topic }) => topic)
    },
    async read(topic, see) {
      await prepare()
      let after: [number, string] = [-1, '0']
      for (;;) {
        const { rows } = await pool.query<StoredRecord>(pageStatement, [topic, ...after, pageSize])
        for (const row of rows) see(row)
        const last = rows.at(-1)
        if (!last || rows.length < pageSize) return
        after = [last.partition, last.offset]
      }
    },
    append: (topic, record) => append([{ ...record, topic }]),
    close: () => pool.end(),
  }
}

const pageStatement = `
  SELECT topic, partition, "offset"::text AS "offset", key, headers, value FROM bus_records
  WHERE topic = $1 AND (partition, "offset") > ($2::int, $3::bigint)
  ORDER BY partition, "offset" LIMIT $4`
