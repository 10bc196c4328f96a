import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { isErrorCode } from '#platform/errors.ts'
import type { Generated } from './fuzz-requests.ts'

export type Reply = { status: number; headers: IncomingHttpHeaders; body: string } | { error: string }

/** Statuses that docs/http.md names, and those of what stands beside the graph: a page, a redirect, nothing. */
const documented = new Set([200, 204, 302, 400, 401, 403, 404, 405, 406, 408, 413, 415, 431])
const patience = 20_000

/** Sends requests as they are, which clients with manners would not. */
export function createWire(url: string, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const { hostname, port } = new URL(url)

  function send({ method, path, headers, body }: Generated): Promise<Reply> {
    return new Promise((resolve) => {
      const length = body ? { 'content-length': String(body.length) } : {}
      const outgoing = request({
        agent,
        hostname,
        port,
        method,
        path,
        headers: { ...headers, ...length },
        timeout: patience,
      })
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')))
      outgoing.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }))
      outgoing.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', (error) => resolve({ error: error.message }))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      })
      outgoing.end(body)
    })
  }
  return { send, close: () => agent.destroy() }
}

/** What is wrong with an answer. Undefined for one that is as GraphQL over HTTP wants it. */
export function faultOf({ method, path, headers }: Generated, reply: Reply): string | undefined {
  if ('error' in reply) return reply.error
  const { status, body } = reply
  if (!documented.has(status)) return `status ${status}`
  if (method === 'HEAD' || status === 204 || status === 302) return body === '' ? undefined : 'a body'
  const type = String(reply.headers['content-type'])
  const isGraph = /^\/graphql(\?|$)/.test(path)
  if (status === 200 && (!isGraph || type.startsWith('text/html'))) return undefined
  if (!/^application\/(graphql-response\+)?json(;|$)/.test(type)) return `media type ${type}`
  if (
    isGraph &&
    status === 200 &&
    headers.accept === 'application/graphql-response+json' &&
    !type.startsWith(headers.accept)
  ) {
    return `media type ${type} for ${headers.accept}`
  }
  if (status !== 431 && status !== 408 && !reply.headers['x-request-id'] && isGraph) return 'no request id'
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return 'no JSON'
  }
  const parts = Array.isArray(parsed) ? parsed : [parsed]
  return parts.length === 0 ? 'an empty batch' : parts.map((part) => faultOfPart(part, status)).find(Boolean)
}

type Part = { data?: unknown; errors?: { message?: unknown; extensions?: { code?: unknown } }[] } | null

function faultOfPart(part: Part, status: number): string | undefined {
  if (typeof part !== 'object' || part === null) return 'no object'
  const { data, errors } = part
  if (data === undefined && errors === undefined) return 'neither data nor errors'
  if (data !== undefined && status >= 400) return 'data with a refusal'
  if (errors === undefined) return typeof data === 'object' ? undefined : 'data that is no object'
  if (!Array.isArray(errors) || errors.length === 0) return 'errors that are no list'
  for (const { message, extensions } of errors) {
    if (typeof message !== 'string' || !isErrorCode(extensions?.code)) return 'an error without message or code'
  }
  return undefined
}
