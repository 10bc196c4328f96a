/** How to reach a person, as one of the account's events told. */
export type Contact = {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly locale: string
  /** E.164. */
  readonly phone: string | null
  /** The number of that event among the account's: of two contacts the higher one is the newer. */
  readonly sequence: number
}
