import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { type Customer, password } from './mix.ts'

/** How often a sign-up is tried, and milliseconds between: a shop that has just started may be too busy for some. */
const attempts = 20
const pause = 500
/** Sign-ups under way at once: as many as the machine hashes passwords. */
const concurrency = 3

type Answer = { data?: { register?: { accessToken: string } | null }; errors?: unknown }

const register = 'mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }'

/** Customers who are signed in. */
export async function signUpAll(url: string, count: number): Promise<Customer[]> {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: concurrency })
  const customers: Customer[] = []
  let next = 0
  const signUp = async (email: string) => {
    for (let attempt = 1; ; attempt++) {
      const { body } = await pool.request({
        path: pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: register, variables: { input: { name: 'Eve Example', email, password } } }),
      })
      const { data, errors } = (await body.json()) as Answer
      if (data?.register) return data.register.accessToken
      if (attempt === attempts) throw new Error(`A customer cannot sign up: ${JSON.stringify(errors)}`)
      await sleep(pause)
    }
  }
  const signUpMore = async () => {
    while (next < count) {
      const email = `customer-${next++}@example.com`
      customers.push({ email, token: await signUp(email) })
    }
  }
  await Promise.all(Array.from({ length: concurrency }, signUpMore))
  await pool.close()
  return customers
}
