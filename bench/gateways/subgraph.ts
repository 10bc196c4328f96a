/**
 * A subgraph in a process of its own: `node subgraph.ts <name>`. It prints its URL once it listens. What was asked
 * before is answered from memory, so that the machine's time goes to the gateway.
 */
import { createServer } from 'node:http'
import { graphql } from 'graphql'
import { LRUCache } from 'lru-cache'
import { subgraphNames, subgraphSchema } from './graph.ts'

const name = subgraphNames.find((known) => known === process.argv[2])
if (!name) throw new Error(`There is no subgraph ${process.argv[2]}.`)
const schema = subgraphSchema(name)
/** Answers by the body of the request. All of them follow from it. */
const answers = new LRUCache<string, Promise<Buffer>>({ max: 5_000 })

async function answer(body: string): Promise<Buffer> {
  const { query = '', variables, operationName } = JSON.parse(body)
  return Buffer.from(JSON.stringify(await graphql({ schema, source: query, variableValues: variables, operationName })))
}

const server = createServer(async (request, response) => {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const known = answers.get(body) ?? answer(body)
    answers.set(body, known)
    const bytes = await known
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes)
  } catch (error) {
    response.writeHead(400).end(String(error))
  }
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address) console.log(`http://127.0.0.1:${address.port}/graphql`)
})
// Ends with the bench, however that ends.
process.stdin.on('end', () => process.exit()).resume()
