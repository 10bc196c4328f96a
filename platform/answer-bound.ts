import type { Dispatcher } from 'undici'

/** Answers ended because all that came in together were too much. */
export class TooMuchAtOnce extends Error {
  override readonly name = 'TooMuchAtOnce'
}

export type AnswerBound = {
  /** Bytes of all answers together that are being read. */
  total: number
  /** Bytes that an answer may always have. */
  each: number
}

/**
 * Bounds what the answers of one instance hold of this process's memory while they come in. Beyond the total, those that
 * are large end with TooMuchAtOnce: an instance that pours out costs its own answers, and the small ones among them nothing.
 */
export function boundAnswers({ total, each }: AnswerBound): Dispatcher.DispatcherComposeInterceptor {
  let held = 0
  return (dispatch) => (options, handler) => {
    let own = 0
    const release = () => {
      held -= own
      own = 0
    }
    return dispatch(options, {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData(controller, chunk) {
        own += chunk.length
        held += chunk.length
        if (held > total && own > each) controller.abort(new TooMuchAtOnce(`${held} bytes of answers at once`))
        else handler.onResponseData?.(controller, chunk)
      },
      onResponseEnd(...args) {
        release()
        handler.onResponseEnd?.(...args)
      },
      onResponseError(...args) {
        release()
        handler.onResponseError?.(...args)
      },
    })
  }
}
