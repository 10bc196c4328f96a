import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { Log } from '../log.ts'

export type QuestionsOptions = {
  /** Of an agent. */
  url: string
  token?: string
  log: Log
  /** Seconds that a question waits for a change. Default 30. */
  wait?: number
}

export type Question = {
  method: 'GET' | 'PUT' | 'DELETE'
  path: string
  /** Sent as JSON, or as it is where it is text. */
  body?: object | string
  /** Milliseconds that the answer may take. Default 2000. */
  limit?: number
}

export type Answer = {
  /** False for a 404. */
  readonly found: boolean
  readonly text: string
  /** Of the state that it tells of. */
  readonly index: number
  /** Access rules kept a part of it back. */
  readonly filtered: boolean
}

export type Followed = {
  /** What is asked for, in lines of the log. */
  about: string
  /** With a query. */
  path: string
  /** Told of each answer. `older`: it is of a state before that of the last one. What it throws makes the answer none. */
  hear: (answer: Answer & { readonly older: boolean }) => void
}

/** Milliseconds that an answer may take which waits for nothing. */
const answerLimit = 2_000
/** Milliseconds between an answer and the next question, whatever Consul says: changes that come at once are heard at once. */
const shortestPause = 50
/** Milliseconds before a question is asked again that failed; doubled for each further failure. Up to half is random. */
const firstPause = 100
const longestPause = 10_000
/** Bytes of an answer, at the most. */
const answerSize = 4 * 1024 * 1024

/** Questions to an agent, once or again and again. https://developer.hashicorp.com/consul/api-docs/features/blocking */
export function createQuestions({ url, token, log, wait = 30 }: QuestionsOptions) {
  const pool = new Pool(new URL(url).origin, { maxResponseSize: answerSize })
  const closing = new AbortController()

  async function ask({ method, path, body, limit = answerLimit }: Question): Promise<Answer> {
    const isJson = typeof body === 'object'
    const answer = await pool.request({
      method,
      path,
      headers: { ...(token && { 'x-consul-token': token }), ...(isJson && { 'content-type': 'application/json' }) },
      body: isJson ? JSON.stringify(body) : (body ?? null),
      headersTimeout: 0,
      bodyTimeout: 0,
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(limit)]),
    })
    const text = await answer.body.text()
    const { statusCode, headers } = answer
    if (statusCode !== 200 && statusCode !== 404) throw new Error(`Consul: status ${statusCode}`)
    const filtered = headers['x-consul-results-filtered-by-acls'] === 'true'
    return { found: statusCode === 200, text, index: Number(headers['x-consul-index']), filtered }
  }

  /** Asks for what is so now, and then again and again for what is newer. Resolves when the first attempt was made. */
  function follow({ about, path, hear }: Followed): Promise<void> {
    const first = Promise.withResolvers<void>()
    /** The state that the next question waits for to change. 0: it does not wait. */
    let index = 0
    /** The state of the last answer. */
    let newest = 0
    let failures = 0
    const pause = (milliseconds: number) => sleep(milliseconds, undefined, { signal: closing.signal }).catch(() => {})

    async function turn(): Promise<void> {
      const blocking = index > 0 ? `&index=${index}&wait=${wait}s` : ''
      // Consul adds up to a sixteenth of the wait, so that not all ask again at once.
      const limit = index > 0 ? wait * 1_000 * (1 + 1 / 16) + answerLimit : answerLimit
      const answer = await ask({ method: 'GET', path: `${path}${blocking}`, limit })
      hear({ ...answer, older: answer.index < newest })
      // An index that goes back is that of another state, and 0 would not wait.
      index = answer.index < index ? 0 : Math.max(1, answer.index || 1)
      newest = answer.index || 0
      if (failures > 0) log.info('Consul is back', { about })
      failures = 0
    }

    async function run(): Promise<void> {
      while (!closing.signal.aborted) {
        try {
          await turn()
          first.resolve()
          await pause(shortestPause)
        } catch (error) {
          if (closing.signal.aborted) break
          if (failures === 0) log.warn('Consul is away, what it said last stands', { about, error })
          index = 0
          first.resolve()
          await pause(Math.min(longestPause, firstPause * 2 ** failures++) * (0.5 + Math.random() / 2))
        }
      }
      first.resolve()
    }
    void run()
    return first.promise
  }

  return {
    ask,
    follow,
    /** Ends all questions. */
    end: (): void => closing.abort(),
    /** Lets go of the connections. */
    close: (): Promise<void> => pool.destroy(),
  }
}

export type Questions = ReturnType<typeof createQuestions>
