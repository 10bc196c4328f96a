import { z } from 'zod'
import type { LogRecord } from './cloudevents.ts'

/** That a partition has something new of a type. */
export type News = { readonly topic: string; readonly partition: number; readonly type: string }

/** Bytes of a notification: PostgreSQL takes less than 8000. */
const longest = 7_900

const list = z.array(z.tuple([z.string(), z.number(), z.string()]))

/** What a notification says of records that were appended. Empty, which is news of anything, where that is too much to say. */
export function writeNews(records: readonly (Pick<LogRecord, 'headers'> & Omit<News, 'type'>)[]): string {
  const news = records.map(({ topic, partition, headers }) => JSON.stringify([topic, partition, headers.ce_type ?? '']))
  const text = `[${[...new Set(news)].join(',')}]`
  return Buffer.byteLength(text) > longest ? '' : text
}

/** Undefined for news of anything: a notification that says nothing, or nothing that is understood. */
export function readNews(payload: string): News[] | undefined {
  if (payload === '') return undefined
  try {
    return list.parse(JSON.parse(payload)).map(([topic, partition, type]) => ({ topic, partition, type }))
  } catch {
    return undefined
  }
}
