import { dictionary } from '@zxcvbn-ts/language-common'

/** The shortest password that the rules allow: what is shorter is refused without a list. */
const shortest = 8

/** About 18,000 passwords that leaks hold most often, of 8 characters and more, in lower case. */
const common = new Set(dictionary['passwords-common'].filter((password) => password.length >= shortest))

/** Whether many people have a password, which is given in lower case. */
export function isCommonPassword(password: string): boolean {
  return common.has(password)
}
