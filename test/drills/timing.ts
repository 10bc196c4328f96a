import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type GraphQLResult, startTestStack } from '../infra/stack.ts'
import { type Drill, percentile } from './drill.ts'

/** How far the medians of two cases that nobody may tell apart may lie from each other. */
const tolerance = 0.1

export const timing: Drill = {
  summary: 'what is there and what is not, told apart neither by words nor by time',
  async run({ short, print }) {
    const samples = short ? 60 : 1_000
    const stack = await startTestStack()
    try {
      const owner = await stack.signUp()
      const stranger = await stack.signUp()
      const [product = ''] = await stack.addProducts(10)
      const theirs = await stack.placeOrder(owner.token, product)
      const login = (email: string) =>
        stack.graphql('mutation ($input: LoginInput!) { login(input: $input) { accessToken } }', {
          input: { email, password: 'not the password' },
        })
      const order = (id: string) =>
        stack.graphql('query ($id: ID!) { order(id: $id) { number } }', { id }, stranger.token)
      const pairs = {
        'login, a known and an unknown address': [() => login(owner.email), () => login(`${randomUUID()}@example.com`)],
        "order, another's and one that never was": [() => order(theirs), () => order(randomUUID())],
      } as const
      for (const [what, [there, notThere]] of Object.entries(pairs)) {
        const times = await interleave(samples, there, notThere)
        const medians = times.map((values) => percentile(values, 0.5)) as [number, number]
        const apart = Math.abs(medians[0] - medians[1]) / Math.max(...medians)
        const [a, b] = medians.map((median) => median.toFixed(2))
        print(
          `${what}: ${samples} of each, medians ${a} and ${b} ms, ${(100 * apart).toFixed(1)} % apart, the same words`,
        )
        // The short run is too noisy to measure: it says that the words are the same.
        if (!short) assert.ok(apart <= tolerance, `${what}: at most ${100 * tolerance} % apart`)
      }
    } finally {
      await stack.stop()
    }
  },
}

/** Milliseconds of each, one after the other in turns, so that both meet the same machine. */
async function interleave(
  samples: number,
  first: () => Promise<GraphQLResult>,
  second: () => Promise<GraphQLResult>,
): Promise<[number[], number[]]> {
  const times: [number[], number[]] = [[], []]
  const warmUp = 20
  for (let n = 0; n < samples + warmUp; n++) {
    const order = n % 2 ? ([0, 1] as const) : ([1, 0] as const)
    const answers: GraphQLResult[] = []
    for (const which of order) {
      const started = performance.now()
      answers.push(await (which === 0 ? first : second)())
      if (n >= warmUp) times[which].push(performance.now() - started)
    }
    assert.deepEqual(answers[0], answers[1])
    assert.equal(answers[0]?.errors.length, 1)
  }
  return times
}
