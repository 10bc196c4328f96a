/** How to reach a person, as one of the account's events told. */
export type Contact = {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly locale: string
  /** E.164. Null where there is none, undefined where an event of old says nothing of it: then it stays as it is. */
  readonly phone?: string | null | undefined
  /** The number of that event among the account's: of two contacts the higher one is the newer. */
  readonly sequence: number
}
