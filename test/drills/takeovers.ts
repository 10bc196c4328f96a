import { mailsIn } from '../infra/mails.ts'
import { customerPassword, type GraphQLResult, type TestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Attempt } from './identity.ts'

const session = 'accessToken refreshToken user { id }'
const wrongCode = 'ABCDE-FGHJK-MNPQR-STVWX'
const newPassword = 'battery staple horse'

/** Attempts to take over an account by its refresh tokens, its codes and its forms. Each has an account of its own. */
export function takeovers(stack: TestStack): Attempt[] {
  const { mutate, signUp } = stack
  const refresh = async (refreshToken: string) => codeOf(await mutate('refreshSession', session, { refreshToken }))
  const reset = async (email: string, code: string) =>
    codeOf(await mutate('resetPassword', session, { email, code, newPassword }))
  const attempt = (what: string, code: string, run: () => Promise<string>): Attempt => ({ what, code, run })

  /** The code that a person was mailed for a new password. */
  async function resetCode(email: string): Promise<string> {
    await mutate('requestPasswordReset', 'accepted', { email })
    const [code = ''] = await mailedCodes(stack, email, 'new password')
    return code
  }

  return [
    attempt('a refresh token that is made up', 'UNAUTHENTICATED', () => refresh('made-up')),
    attempt('an access token as a refresh token', 'UNAUTHENTICATED', async () => refresh((await signUp()).token)),
    attempt('a refresh token used again', 'UNAUTHENTICATED', async () => {
      const { refreshToken } = await signUp()
      await refresh(refreshToken)
      return refresh(refreshToken)
    }),
    attempt('the token that a stolen one was exchanged for, once the theft shows', 'UNAUTHENTICATED', async () => {
      const { refreshToken } = await signUp()
      const { payload } = await mutate('refreshSession', session, { refreshToken })
      await refresh(refreshToken)
      return refresh(payload.refreshToken)
    }),
    attempt('a refresh token used 10 times at once: more than one winner', '1 winner', async () => {
      const { refreshToken } = await signUp()
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)))
      return `${outcomes.filter((code) => code === 'accepted').length} winner`
    }),
    attempt('a refresh token after logout', 'UNAUTHENTICATED', async () => {
      const { refreshToken } = await signUp()
      await mutate('logout', 'loggedOut', { refreshToken })
      return refresh(refreshToken)
    }),
    attempt('a refresh token of another session after a new password', 'UNAUTHENTICATED', async () => {
      const { token, refreshToken } = await signUp()
      await mutate('changePassword', session, { currentPassword: customerPassword, newPassword }, token)
      return refresh(refreshToken)
    }),
    attempt('a refresh token after the account is erased', 'UNAUTHENTICATED', async () => {
      const { token, refreshToken } = await signUp()
      await mutate('eraseAccount', 'erased', { password: customerPassword }, token)
      return refresh(refreshToken)
    }),
    attempt('a refresh token after the password was reset', 'UNAUTHENTICATED', async () => {
      const { email, refreshToken } = await signUp()
      await reset(email, await resetCode(email))
      return refresh(refreshToken)
    }),
    attempt('a reset code, guessed', 'INVALID_CREDENTIALS', async () => {
      const { email } = await signUp()
      await resetCode(email)
      return reset(email, wrongCode)
    }),
    attempt('a reset code, after another one was used', 'INVALID_CREDENTIALS', async () => {
      const { email } = await signUp()
      for (let n = 0; n < 2; n++) await mutate('requestPasswordReset', 'accepted', { email })
      const [used = '', other = ''] = await mailedCodes(stack, email, 'new password', 2)
      return (await reset(email, used)) === 'accepted' ? reset(email, other) : 'the first was refused'
    }),
    attempt('a reset code, used again', 'INVALID_CREDENTIALS', async () => {
      const { email } = await signUp()
      const code = await resetCode(email)
      await reset(email, code)
      return reset(email, code)
    }),
    attempt("one's own reset code, for another account's address", 'INVALID_CREDENTIALS', async () => {
      const [own, victim] = [await signUp(), await signUp()]
      return reset(victim.email, await resetCode(own.email))
    }),
    attempt('a code that proves an address, as a reset code', 'INVALID_CREDENTIALS', async () => {
      const { email } = await signUp()
      const [code = ''] = await mailedCodes(stack, email, 'confirm this address')
      return reset(email, code)
    }),
    attempt("another's code, for one's own address", 'INVALID_CREDENTIALS', async () => {
      const [own, other] = [await signUp(), await signUp()]
      const [code = ''] = await mailedCodes(stack, other.email, 'confirm this address')
      return codeOf(await mutate('verifyEmail', 'user { id }', { code }, own.token))
    }),
    attempt('a new password without the old one', 'INVALID_CREDENTIALS', async () => {
      const input = { currentPassword: 'a guess', newPassword }
      return codeOf(await mutate('changePassword', session, input, (await signUp()).token))
    }),
    attempt('another address without the password', 'BAD_USER_INPUT', async () => {
      const input = { email: 'thief@example.com' }
      return codeOf(await mutate('updateProfile', 'user { id }', input, (await signUp()).token))
    }),
    attempt('an erasure without the password', 'INVALID_CREDENTIALS', async () =>
      codeOf(await mutate('eraseAccount', 'erased', { password: 'a guess' }, (await signUp()).token)),
    ),
    attempt('roles for oneself', 'FORBIDDEN', async () => {
      const { id, token } = await signUp()
      return codeOf(await mutate('setUserRoles', 'user { roles }', { userId: id, roles: ['ADMIN'] }, token))
    }),
    attempt('a list of accounts', 'FORBIDDEN', async () =>
      codeOf(await stack.graphql('{ users { edges { node { email } } } }', {}, (await signUp()).token)),
    ),
    attempt("another's account", 'NOT_FOUND', async () => {
      const [own, other] = [await signUp(), await signUp()]
      return codeOf(await stack.graphql('query ($id: ID!) { user(id: $id) { email } }', { id: other.id }, own.token))
    }),
    attempt("another's order", 'NOT_FOUND', async () => {
      const [own, other] = [await signUp(), await signUp()]
      const [product = ''] = await stack.addProducts(1)
      const id = await stack.placeOrder(other.token, product)
      return codeOf(await stack.graphql('query ($id: ID!) { order(id: $id) { total { amount } } }', { id }, own.token))
    }),
  ]
}

function codeOf({ errors }: GraphQLResult): string {
  return errors[0]?.extensions.code ?? 'accepted'
}

/** The codes of the mails to an address whose subject says what they are about, once there are so many. */
function mailedCodes(stack: TestStack, email: string, about: string, count = 1): Promise<string[]> {
  return waitFor(`${count} mails to ${email}`, () => {
    const mails = mailsIn(stack.mailFolder).filter((text) => text.includes(`<${email}>`) && text.includes(about))
    const codes = mails.flatMap((mail) => /^([0-9A-Z]{5}(?:-[0-9A-Z]{5}){3})\s*$/m.exec(mail)?.[1] ?? [])
    return codes.length >= count && codes
  })
}
