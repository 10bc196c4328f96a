import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Agent, request } from 'undici'
import { listed, things } from './soak-shop.ts'

const concurrency = 8
/** Operations that are asked for all the time, and those of which each comes once in a while: more than any cache holds. */
const hotTexts = 20
const coldTexts = 5_000
/** Addresses that requests come from, without a sign-in half of them. */
const addresses = 5_000
const fields = ['name', 'description', 'amount', 'owner', 'id']

/** Each has a name, a selection and aliases of its own. */
function coldText(n: number): string {
  const chosen = fields.filter((_, bit) => (n >> bit) & 1)
  return `query Cold${n}($from: Int!) { things(from: $from) { id a${n}: name ${chosen.join(' ')} } again: things(from: ${n % things}) { id } }`
}

function hotText(n: number): string {
  return `query Hot${n}($from: Int!) { me things(from: $from) { id ${fields.slice(0, (n % fields.length) + 1).join(' ')} } }`
}

type Asked = { body: Record<string, unknown>; kind: 'hot' | 'cold' | 'persisted' | 'invalid' | 'broken' | 'gone' }

/** The load of a soak, the same in every run. Every request must be answered as its kind is. */
export function createSoakLoad({ url, tokens }: { url: string; tokens: readonly string[] }) {
  const agent = new Agent({ connections: concurrency })
  const counts = new Map<string, number>()
  let sent = 0

  async function one(n: number): Promise<void> {
    const { body, kind } = asked(n)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    const gone = new AbortController()
    const signedIn = n % 2 === 0
    const sending = request(`${url}/graphql`, {
      dispatcher: agent,
      method: 'POST',
      signal: gone.signal,
      headers: {
        'content-type': 'application/json',
        'accept-encoding': n % 3 === 0 ? 'gzip' : 'identity',
        'x-forwarded-for': `10.${(n % addresses) >> 8}.${(n % addresses) & 255}.1`,
        ...(signedIn && { authorization: `Bearer ${tokens[n % tokens.length]}` }),
      },
      body: JSON.stringify(body),
    })
    if (kind === 'gone') {
      setImmediate(() => gone.abort())
      return void (await sending.then(({ body }) => body.dump()).catch(() => {}))
    }
    const { statusCode, body: answer } = await sending
    const bytes = await answer.arrayBuffer()
    const expected = kind === 'invalid' ? 400 : 200
    assert.equal(statusCode, expected, Buffer.from(bytes).toString().slice(0, 500))
    if (kind === 'hot') assert.ok(bytes.byteLength > 100)
  }

  return {
    /** Sends so many more requests. */
    async send(count: number): Promise<void> {
      const end = sent + count
      await Promise.all(
        Array.from({ length: concurrency }, async () => {
          while (sent < end) await one(sent++)
        }),
      )
    },
    told: () => [...counts].map(([kind, count]) => `${count} ${kind}`).join(', '),
    close: () => agent.close(),
  }
}

/** What the nth request asks for. */
function asked(n: number): Asked {
  const variables = { from: (n * listed) % things }
  if (n % 1_000 === 1) return { kind: 'invalid', body: { query: `{ things(from: 1) { id nothing${n} } }` } }
  if (n % 1_000 === 2) return { kind: 'broken', body: { query: '{ things(from: 1) { id broken } }' } }
  if (n % 1_000 === 3) return { kind: 'gone', body: { query: hotText(0), variables } }
  // A step that is prime to their number takes all of them in turn.
  if (n % 20 === 5) return { kind: 'cold', body: { query: coldText((Math.floor(n / 20) * 7) % coldTexts), variables } }
  const query = hotText(n % hotTexts)
  if (n % 10 !== 6) return { kind: 'hot', body: { query, variables } }
  const sha256Hash = createHash('sha256').update(query).digest('hex')
  return { kind: 'persisted', body: { query, variables, extensions: { persistedQuery: { version: 1, sha256Hash } } } }
}
