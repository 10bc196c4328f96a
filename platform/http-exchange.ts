import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Bound } from './answer-bound.ts'
import type { Departure } from './departure.ts'

/** A call's time was over before its answer was there. */
export class Late extends Error {
  override readonly name = 'Late'
}

export type HttpExchange = {
  path: string
  /** Names and values in turn. */
  headers: string[]
  body: string | Buffer
  /** Milliseconds that it may take. Then it rejects with Late. */
  time: number
  /** Ends it sooner, with the departure's reason. */
  signal?: Departure | undefined
}

export type HttpAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }

/**
 * Posts and reads the whole answer, as text in UTF-8. What ends it before takes its connection along, and what was not sent by
 * then never is. An answer is held as bytes until it is whole, and counted against what its instance may have.
 */
export function exchange(dispatcher: Dispatcher, bound: Bound, call: HttpExchange): Promise<HttpAnswer> {
  const { path, headers, body, time, signal } = call
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let ended: { reason: unknown } | undefined
    let answer: { status: number; headers: IncomingHttpHeaders } | undefined
    let whole: Buffer | undefined
    let rest: Buffer[] | undefined
    let own = 0

    function close(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onGone)
      bound.release(own)
      own = 0
    }
    function end(reason: unknown): void {
      if (ended) return
      ended = { reason }
      close()
      reject(reason)
      controller?.abort(reason as Error)
    }
    const onGone = () => end(signal?.reason)
    const timer = setTimeout(() => end(new Late(`no answer within ${time} ms`)), time)
    if (signal?.aborted) return onGone()
    signal?.addEventListener('abort', onGone)

    dispatcher.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart(started) {
          controller = started
          if (ended) started.abort(ended.reason as Error)
        },
        onResponseStart(_controller, status, headers) {
          if (status >= 200) answer = { status, headers }
        },
        onResponseData(_controller, chunk) {
          if (ended) return
          own += chunk.length
          const tooMuch = bound.take(chunk.length, own)
          if (tooMuch) return end(tooMuch)
          if (!whole) whole = chunk
          else {
            rest ??= [whole]
            rest.push(chunk)
          }
        },
        onResponseEnd() {
          if (ended || !answer) return
          ended = { reason: undefined }
          close()
          resolve({ ...answer, text: textOf(rest ? Buffer.concat(rest, rest.reduce(addLength, 0)) : whole) })
        },
        onResponseError(_controller, error) {
          end(error)
        },
      },
    )
  })
}

const addLength = (sum: number, { length }: Buffer) => sum + length

/** Without a byte order mark, which is no part of what it says. */
function textOf(bytes: Buffer | undefined): string {
  if (!bytes) return ''
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
    ? bytes.toString('utf8', 3)
    : bytes.toString('utf8')
}
