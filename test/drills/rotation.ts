import assert from 'node:assert/strict'
import { decodeProtectedHeader } from 'jose'
import { runScript } from '../../tools/infra/scripts.ts'
import { type GraphQLResult, startTestStack } from '../infra/stack.ts'
import { waitFor } from '../infra/wait.ts'
import type { Drill } from './drill.ts'

/**
 * Seconds, short so that the drill can wait for them: a key signs after it has been published for longer than it is kept. Users looks
 * for keys every 2 s; the rest is for a machine that is busy.
 */
const delay = 9
const keySetAge = 1

export const rotation: Drill = {
  summary: 'signing keys rotated while people sign in and ask: no request fails',
  async run({ short, print }) {
    const rotations = short ? 1 : 3
    const stack = await startTestStack({
      extra: {
        users: { env: { SIGNING_KEY_DELAY: String(delay) } },
        gateway: { env: { JWKS_MAX_AGE: String(keySetAge) } },
      },
    })
    try {
      const requests = new Map<string, number>()
      const failures: string[] = []
      let working = true
      const customers = await Promise.all(Array.from({ length: 8 }, () => stack.signUp()))
      const load = Promise.all(
        customers.map(async ({ id, token, refreshToken }) => {
          const tokens = [token]
          let next = refreshToken
          while (working) {
            const input = { refreshToken: next }
            const { payload, errors } = await answered(() =>
              stack.mutate('refreshSession', 'accessToken refreshToken', input),
            )
            if (errors[0]) return void failures.push(errors[0].message)
            next = payload.refreshToken
            // Tokens of superseded keys are good until they expire.
            tokens.push(payload.accessToken)
            for (const token of [tokens[0], tokens.at(-1)]) {
              const { data, errors } = await answered(() => stack.graphql('{ me { id } }', {}, token))
              if (data?.me?.id !== id) failures.push(errors[0]?.message ?? 'no answer')
              const { kid = '' } = decodeProtectedHeader(token ?? '')
              requests.set(kid, (requests.get(kid) ?? 0) + 1)
            }
          }
        }),
      )
      for (let n = 0; n < rotations; n++) {
        await runScript(
          'tools/keys.ts',
          {
            PATH: process.env.PATH,
            USERS_DATABASE_URL: stack.databases.users,
            SIGNING_KEY_DELAY: String(delay),
            AUDIT_LOG: '/dev/null',
          },
          ['rotate'],
        )
        await waitFor('tokens of the new key', () => requests.size === n + 2, 60_000)
      }
      working = false
      await load
      const total = [...requests.values()].reduce((sum, count) => sum + count, 0)
      print(
        `${rotations} rotations, ${requests.size} keys, ${total} requests (${[...requests.values()].join(', ')}), ${failures.length} failed`,
      )
      assert.deepEqual(failures, [])
      assert.equal(requests.size, rotations + 1)
    } finally {
      await stack.stop()
    }
  },
}

/** An answer that tells of keys, and not of a machine that stands still. Of what was OVERLOADED nothing was done. */
function answered<Result extends GraphQLResult>(send: () => Promise<Result>): Promise<Result> {
  return waitFor('an answer', async () => {
    const result = await send()
    return result.errors[0]?.extensions.code !== 'OVERLOADED' && result
  })
}
