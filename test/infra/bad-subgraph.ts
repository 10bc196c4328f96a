import { randomBytes } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Milliseconds of an answer that is too late for everybody, and between the bytes of one without end. */
const tooLate = 30_000
const drip = 50

type Answer = (response: ServerResponse, good: string, count: number) => void

const whole = (response: ServerResponse, body: string | Buffer, status = 200) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(body)

/** JSON that is no answer to what was asked, some of it a GraphQL response by its looks. */
const shapes = [
  '{"hello":"world"}',
  '{"data":"none"}',
  '{"data":[]}',
  '{"data":{"_entities":{}}}',
  '{"data":{"_entities":[]}}',
  '{"data":{"_entities":[{"name":"Thing 0"},7,"x"]}}',
  '{"data":{"_entities":[{"name":{"a":[1]}},{"name":["x"]},{"name":1}]}}',
  '{"data":{"_entities":[{"__typename":7},{"__typename":[]},{"name":"Thing 2"}]}}',
  '{"data":{"_entities":null}}',
  '{"errors":"none"}',
  '{"data":{},"errors":[null,1,{"message":7,"path":"a","extensions":4}]}',
  '[]',
  'null',
]

/** The ways in which a subgraph may misbehave. `count` is the number of the request since it began to. */
const ways = {
  well: (response, good) => whole(response, good),
  'after 30 s': (response, good) => later(response, tooLate, good),
  never: () => {},
  'no HTTP': (response) => void response.socket?.end(randomBytes(512)),
  'no JSON': (response) => whole(response, randomBytes(512)),
  'other JSON': (response, _, count) => whole(response, shapes[count % shapes.length] ?? ''),
  'half a body': (response, good) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': good.length * 2 })
    response.write(good, () => response.destroy())
  },
  'half of the JSON': (response, good) => whole(response, good.slice(0, good.length / 2)),
  'no end': (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"data":')
    const timer = setInterval(() => response.write(' '), drip).unref()
    response.once('close', () => clearInterval(timer))
  },
  'too much': (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"data":"')
    const pour = () => {
      while (!response.destroyed && response.write(filling));
    }
    response.on('drain', pour)
    pour()
  },
  'every fifth 500': (response, good, count) =>
    count % 5 === 0 ? whole(response, '{"errors":[]}', 500) : whole(response, good),
} as const satisfies Record<string, Answer>

const filling = Buffer.alloc(64 * 1024, 'a')

/** `held`: well, once it is told to behave otherwise. */
export type Way = keyof typeof ways | 'held'
export const badWays = (Object.keys(ways) as (keyof typeof ways)[]).filter((way) => way !== 'well')

function later(response: ServerResponse, milliseconds: number, body: string): void {
  const timer = setTimeout(whole, milliseconds, response, body).unref()
  response.once('close', () => clearTimeout(timer))
}

/**
 * A subgraph `products` over HTTP that behaves as it is told: well, in one of the ways above, or well but when a test says so. It
 * knows products by their ids, whatever those are, and three in a list.
 */
export async function startBadSubgraph() {
  let way: Way = 'well'
  let count = 0
  const held: (() => void)[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      count += 1
      if (way === 'held') held.push(() => whole(response, answerTo(text)))
      else ways[way](response, answerTo(text), count)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    /** Requests since it was last told how to behave. */
    get asked() {
      return count
    },
    behave(next: Way): void {
      way = next
      count = 0
      for (const answer of held.splice(0)) answer()
    },
    async stop(): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function answerTo(text: string): string {
  const { variables } = JSON.parse(text) as { variables?: { representations?: { id: string }[] } }
  const product = (id: string) => ({ __typename: 'Product', name: `Thing ${id}` })
  const entities = variables?.representations?.map(({ id }) => product(id))
  const list = ['0', '1', '2'].map(product)
  return JSON.stringify({ data: entities ? { _entities: entities } : { __typename: 'Query', products: list } })
}
export type BadSubgraph = Awaited<ReturnType<typeof startBadSubgraph>>
