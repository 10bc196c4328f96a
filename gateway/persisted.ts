import { createHash } from 'node:crypto'
import { glob, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripIgnoredCharacters } from 'graphql'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { onOff } from '#platform/env.ts'
import { ServiceError } from '#platform/errors.ts'
import type { Log } from '#platform/log.ts'
import type { Quotas } from '#platform/quota.ts'
import type { Redis } from '#platform/redis.ts'
import type { Params } from './http/params.ts'

export const persistedSettings = {
  /**
   * Which operations are answered: any (`open`), any, with a line in the log for each that is not recorded (`audit`), or
   * recorded ones alone (`safelist`). Default open.
   */
  OPERATIONS: z.enum(['open', 'audit', 'safelist']).default('open'),
  /** The folder of recorded operations, `<client>/<name>.graphql`. Default `schema/operations`. */
  OPERATIONS_FOLDER: z.string().default(fileURLToPath(new URL('../schema/operations', import.meta.url))),
  /** `off` refuses automatic persisted queries. Default on. */
  PERSISTED_QUERIES: onOff.default('on'),
}

/** Recorded operations: text by id, `<client>/<name>`, and by hash. */
export type RecordedOperations = {
  readonly byId: ReadonlyMap<string, string>
  readonly byHash: ReadonlyMap<string, string>
  /** Hashes of the texts without what GraphQL ignores, so that a client may lay out an operation in its own way. */
  readonly shapes: ReadonlySet<string>
}

/** Where texts of automatic persisted queries are kept, by hash. */
export type TextStore = {
  get(hash: string): Promise<string | undefined>
  set(hash: string, text: string): Promise<void>
}

export type PersistedOptions = {
  mode: 'open' | 'audit' | 'safelist'
  recorded: RecordedOperations
  /** Absent: automatic persisted queries are refused. */
  store: TextStore | undefined
  log: Log
}

/** What a request asks for: the text, and what to do once it is known to be valid. */
export type Resolved = { readonly text: string; readonly onValid?: () => Promise<void> }

/**
 * Finds the text of what a request asks for: sent as it is, or known by the id or hash of a recorded operation, or by the
 * hash of one that was sent before (automatic persisted queries). A text is kept only once it was valid, so that the
 * store holds nothing that is refused anyway.
 */
export function createPersisted({ mode, recorded, store, log }: PersistedOptions) {
  function byDocumentId(id: string): string {
    const [, hash] = /^sha256:([0-9a-f]{64})$/i.exec(id) ?? []
    const text = hash ? recorded.byHash.get(hash.toLowerCase()) : recorded.byId.get(id)
    if (text === undefined) throw unknown()
    return text
  }

  async function byHash(hash: string): Promise<string> {
    const text = recorded.byHash.get(hash) ?? (mode === 'safelist' ? undefined : await store?.get(hash))
    if (text !== undefined) return text
    if (store) throw unknown()
    throw new ServiceError('PERSISTED_QUERY_NOT_SUPPORTED', 'Automatic persisted queries are switched off.')
  }

  return {
    async resolve({ query, documentId, extensions }: Params): Promise<Resolved> {
      const hash = hashIn(extensions)
      if (documentId !== undefined) {
        if (query !== undefined) throw refused('The request holds a query and a documentId.')
        return { text: byDocumentId(documentId) }
      }
      if (query === undefined) {
        if (hash === undefined) throw refused('The request holds no query.')
        return { text: await byHash(hash) }
      }
      if (hash === undefined) return { text: query }
      if (hash !== sha256(query)) throw refused('The hash of the persisted query is not that of the query.')
      if (!store || recorded.byHash.has(hash)) return { text: query }
      return { text: query, onValid: () => store.set(hash, query) }
    },

    /** Says what becomes of a text that is seen for the first time. Throws QUERY_NOT_IN_SAFELIST. */
    admit(text: string): void {
      if (mode === 'open') return
      const hash = sha256(text)
      if (recorded.byHash.has(hash) || recorded.shapes.has(shapeOf(text))) return
      if (mode === 'safelist') {
        throw new ServiceError('QUERY_NOT_IN_SAFELIST', 'Only recorded operations are answered here.')
      }
      log.warn('operation is not recorded', { hash })
    },
  }
}

export type Persisted = ReturnType<typeof createPersisted>

/** Reads the recorded operations of a folder. */
export async function readRecorded(folder: string): Promise<RecordedOperations> {
  const byId = new Map<string, string>()
  for await (const file of glob(join(folder, '*', '*.graphql'))) {
    const id = relative(folder, file)
      .split(sep)
      .join('/')
      .replace(/\.graphql$/, '')
    byId.set(id, await readFile(file, 'utf8'))
  }
  const texts = [...byId.values()]
  return {
    byId,
    byHash: new Map(texts.map((text) => [sha256(text), text])),
    shapes: new Set(texts.map(shapeOf)),
  }
}

/** Texts that are kept in this process, by their characters together, and what a text may have to be kept at all. */
const keptCharacters = 4_000_000
const longestText = 10_000

/** Keeps texts in this process, and in `shared` for the other ones. A text that is not found is asked of the client. */
export function createTextStore(shared?: TextStore): TextStore {
  const texts = new LRUCache<string, string>({ maxSize: keptCharacters, sizeCalculation: ({ length }) => length + 64 })
  return {
    async get(hash) {
      const known = texts.get(hash)
      if (known !== undefined || !shared) return known
      const text = await shared.get(hash)
      // Whoever can write there could put another text under the hash.
      if (text === undefined || sha256(text) !== hash) return undefined
      texts.set(hash, text)
      return text
    },
    async set(hash, text) {
      if (text.length > longestText || texts.has(hash)) return
      texts.set(hash, text)
      await shared?.set(hash, text)
    },
  }
}

/** Seconds that Redis keeps a text after it was asked for last. */
const sharedSeconds = 3_600
/** New texts a minute, of all gateways together: with their length and time it bounds what Redis holds to 36 MB. */
const newTexts = { name: 'persisted', points: () => 60, seconds: 60 }

/** Texts in Redis, for all gateways. What a Redis that fails does not give or take is asked of the client again. */
export function createSharedTexts({ ask }: Redis, quotas: Quotas): TextStore {
  const quota = quotas.quota(newTexts)
  const key = (hash: string) => `persisted:${hash}`
  return {
    get: async (hash) =>
      (await ask((client) => client.getex(key(hash), 'EX', sharedSeconds)).catch(() => null)) ?? undefined,
    async set(hash, text) {
      const { allowed } = await quota.charge('all')
      if (allowed) await ask((client) => client.set(key(hash), text, 'EX', sharedSeconds)).catch(() => {})
    },
  }
}

/** The hash of an automatic persisted query. https://www.apollographql.com/docs/apollo-server/performance/apq */
function hashIn({ persistedQuery }: Record<string, unknown>): string | undefined {
  if (persistedQuery === undefined || persistedQuery === null) return undefined
  const { version, sha256Hash } = Object(persistedQuery) as Record<string, unknown>
  if (version !== 1 || typeof sha256Hash !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256Hash)) {
    throw refused('extensions.persistedQuery is not { version: 1, sha256Hash }.')
  }
  return sha256Hash.toLowerCase()
}

/** The hash of a text without what GraphQL ignores. A text that is not GraphQL has none. */
export function shapeOf(text: string): string {
  try {
    return sha256(stripIgnoredCharacters(text))
  } catch {
    return ''
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function unknown(): ServiceError {
  return new ServiceError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound')
}

function refused(message: string): ServiceError {
  return new ServiceError('BAD_REQUEST', message)
}
