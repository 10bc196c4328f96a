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
export function boundAnswers({ total, each }: AnswerBound) {
  let held = 0
  return {
    /** Takes bytes that came in for an answer, which has so many by now. What to end it with, if it may not have them. */
    take(bytes: number, own: number): TooMuchAtOnce | undefined {
      held += bytes
      return held > total && own > each ? new TooMuchAtOnce(`${held} bytes of answers at once`) : undefined
    },
    /** Gives back all bytes of an answer that has ended. */
    release(own: number): void {
      held -= own
    },
  }
}

export type Bound = ReturnType<typeof boundAnswers>
