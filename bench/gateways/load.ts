/** Requests to a gateway, and what a round of them costs it. */
import assert from 'node:assert/strict'
import { Agent, request } from 'undici'
import { bodyOf, type OperationName, operations } from './operations.ts'
import { familyCpu } from './processes.ts'
import type { Gateway } from './rows.ts'

export const concurrency = 16

/** What a round of requests came to. */
export type Round = {
  readonly requests: number
  /** CPU milliseconds of the gateway's processes. */
  readonly cpu: number
  /** Milliseconds from the first request to the last answer. */
  readonly wall: number
  /** Milliseconds of each request. */
  readonly latencies: readonly number[]
}

export type Load = ReturnType<typeof createLoad>

/** Loads gateways with requests of users whose tokens are given. */
export function createLoad(tokens: readonly string[]) {
  const agent = new Agent({ connections: concurrency })
  /** Bytes of the answers that were compared, by gateway, operation and variant. */
  const lengths = new Map<string, number>()
  let texts = 0

  async function send({ name, url }: Gateway, n: number, body: string): Promise<Buffer> {
    const answer = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${tokens[n % tokens.length]}`,
        traceparent: '00-c0ffee00c0ffee00c0ffee00c0ffee00-00f067aa0ba902b7-01',
      },
      body,
    })
    const bytes = Buffer.from(await answer.body.arrayBuffer())
    assert.equal(answer.statusCode, 200, `${name}: ${bytes}`)
    return bytes
  }

  /** The data of every variant's answer. Fails for an answer with errors. */
  async function answers(gateway: Gateway, operation: OperationName): Promise<unknown[]> {
    const variants = Array.from({ length: operations[operation].variants }, async (_, n) => {
      const bytes = await send(gateway, n, bodyOf(operation, n))
      const { data, errors } = JSON.parse(bytes.toString())
      assert.equal(errors, undefined, `${gateway.name}, ${operation}: ${JSON.stringify(errors)}`)
      lengths.set(`${gateway.name} ${operation} ${n}`, bytes.length)
      return data
    })
    return Promise.all(variants)
  }

  /** Sends requests at the gateway's pace. Each answer must have as many bytes as the one that was compared. */
  async function round(gateway: Gateway, operation: OperationName, requests: number): Promise<Round> {
    const { variants } = operations[operation]
    const bodies = Array.from({ length: variants }, (_, n) => bodyOf(operation, n))
    return measure(gateway, requests, async (n) => {
      const variant = n % variants
      const bytes = await send(gateway, n, bodies[variant] ?? '')
      const { name } = gateway
      assert.equal(bytes.length, lengths.get(`${name} ${operation} ${variant}`), `${name}, ${operation}: ${bytes}`)
    })
  }

  /** Sends texts that no gateway has seen: each is parsed, validated and planned. */
  async function fresh(gateway: Gateway, operation: OperationName, requests: number): Promise<Round> {
    return measure(gateway, requests, async (n) => {
      const bytes = await send(gateway, n, bodyOf(operation, n, `name${texts++}`))
      assert.ok(!bytes.includes('"errors"'), `${gateway.name}, ${operation}: ${bytes}`)
    })
  }

  return { answers, round, fresh, close: () => agent.close() }
}

async function measure({ pid }: Gateway, requests: number, send: (n: number) => Promise<void>): Promise<Round> {
  const latencies: number[] = []
  let sent = 0
  const cpu = familyCpu(pid)
  const start = performance.now()
  await Promise.all(
    Array.from({ length: Math.min(concurrency, requests) }, async () => {
      while (sent < requests) {
        const begun = performance.now()
        await send(sent++)
        latencies.push(performance.now() - begun)
      }
    }),
  )
  return { requests, cpu: familyCpu(pid) - cpu, wall: performance.now() - start, latencies }
}
