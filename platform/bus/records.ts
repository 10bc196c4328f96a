import type { LogRecord } from './cloudevents.ts'
import type { Position } from './delivery.ts'

/** The records of an event log as they are, for those who look after it. Names are without the prefix. */
export type RecordLog = {
  /** All topics that have a record or had one. */
  topics(): Promise<string[]>
  /** Shows every record that a topic has now, those of one partition in their order. */
  read(topic: string, see: (record: StoredRecord) => void): Promise<void>
  /** Resolves when the record is stored for good. */
  append(topic: string, record: LogRecord): Promise<void>
  close(): Promise<void>
}

export type StoredRecord = LogRecord & Position
