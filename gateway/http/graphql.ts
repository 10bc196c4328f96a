import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { runWithContext } from '#platform/context.ts'
import { ServiceError } from '#platform/errors.ts'
import { Refusal, refusalOf } from '../errors.ts'
import { type Answer, type Call, refusedWork } from '../pipeline.ts'
import { withTraceId } from '../trace.ts'
import { readJson } from './json.ts'
import { preferredType } from './media-types.ts'
import { sandboxPage, sandboxPolicy } from './pages.ts'
import { type ParsedRequest, paramsOfBody, paramsOfQuery } from './params.ts'

export type GraphqlRouteOptions = {
  /** Who calls, and what goes along. Throws for a caller who is not let in. */
  admit: (request: FastifyRequest, reply: FastifyReply) => Promise<Admitted>
  answer: (request: ParsedRequest, call: Call) => Promise<Answer>
  /** Operations in one request, at the most. Read at each request. */
  batchLimit: () => number
  /** Apollo Sandbox for browsers. */
  sandbox: boolean
}

/** A caller who is let in. `begin` gives the context with the time that the request has from now on. */
export type Admitted = Pick<Call, 'context' | 'charge'> & { readonly begin: () => Call['context'] }

declare module 'fastify' {
  interface FastifyRequest {
    /** Who was let in with it. */
    caller?: Admitted
  }
}

const path = '/graphql'
export const allowedMethods = 'GET, POST, OPTIONS'
/** Headers that no page of another origin can send without asking first. */
const preflightHeaders = ['apollo-require-preflight', 'x-apollo-operation-name']

/** GraphQL over HTTP. https://graphql.github.io/graphql-over-http/draft/ */
export async function serveGraphql(app: FastifyInstance, options: GraphqlRouteOptions): Promise<void> {
  const { admit, answer, batchLimit, sandbox } = options
  const callerOf = ({ caller }: FastifyRequest): Admitted => {
    if (!caller) throw new Error('The request was not admitted.')
    return caller
  }

  async function letIn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    request.caller = await admit(request, reply)
  }
  /** After the body is read, since reading it loses the context, and is not of the time that there is for the answer. */
  function inContext(request: FastifyRequest, _reply: FastifyReply, next: () => void): void {
    const caller = callerOf(request)
    const context = caller.begin()
    request.caller = { ...caller, context }
    runWithContext(context, next)
  }

  async function respond(
    request: FastifyRequest,
    reply: FastifyReply,
    parse: () => ParsedRequest,
  ): Promise<FastifyReply> {
    const caller = callerOf(request)
    const call = {
      ...caller,
      safe: request.method === 'GET',
      client: clientOf(request),
      reportCost: request.headers['graphql-cost'] === 'report',
    }
    let parsed: ParsedRequest
    try {
      parsed = parse()
    } catch (error) {
      // What is no request costs as much as an operation that is refused.
      reply.headers(await caller.charge(refusedWork))
      throw error
    }
    const { status, headers, body } = await answer(parsed, call)
    reply
      .code(status)
      .headers(headers)
      .type(`${preferredType(request.headers.accept)}; charset=utf-8`)
    return reply.send(JSON.stringify(body))
  }

  /** A body that is not taken costs as much as one that is no request. Returns the refusal of a caller who has nothing left. */
  async function chargeUnread(
    error: unknown,
    { caller }: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Refusal | undefined> {
    if (!caller || !isUnread(error)) return undefined
    try {
      reply.headers(await caller.charge(refusedWork))
      return undefined
    } catch (refusal) {
      return refusal instanceof Refusal ? refusal : undefined
    }
  }

  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    scope.addHook('onRequest', (_request, reply, done) => {
      const others = reply.getHeader('vary')
      reply.header('vary', others ? `${others}, Accept` : 'Accept')
      done()
    })
    scope.setErrorHandler(async (error, request, reply) => {
      const refusal = error instanceof Refusal ? error : await chargeUnread(error, request, reply)
      if (!refusal) throw error
      return reply
        .code(refusal.status)
        .headers(refusal.headers)
        .type('application/json; charset=utf-8')
        .send(JSON.stringify({ errors: withTraceId(refusal.errors, request.trace) }))
    })

    scope.get(path, {
      exposeHeadRoute: false,
      async onRequest(request, reply) {
        if (wantsPage(request))
          return reply
            .header('content-security-policy', sandboxPolicy)
            .type('text/html; charset=utf-8')
            .send(sandboxPage)
        requireAcceptable(request)
        requirePreflighted(request)
        await letIn(request, reply)
      },
      preHandler: inContext,
      handler: (request, reply) => respond(request, reply, () => paramsOfQuery(request.query)),
    })
    scope.post(path, {
      async onRequest(request, reply) {
        requireAcceptable(request)
        requireJson(request)
        await letIn(request, reply)
      },
      preHandler: inContext,
      handler: (request, reply) =>
        respond(request, reply, () => paramsOfBody(readJson(request.body as Buffer), batchLimit())),
    })
    for (const method of METHODS) {
      if (!app.supportedMethods.includes(method)) app.addHttpMethod(method)
    }
    scope.route({
      method: app.supportedMethods.filter((method) => !['GET', 'POST', 'OPTIONS'].includes(method)),
      url: path,
      async onRequest() {
        throw refusalOf(badRequest('GraphQL is asked by POST, or by GET for queries.'), 405, { allow: allowedMethods })
      },
      handler: () => {},
    })
  })

  /** True for a browser that opens the address: it wants a page, and asks no query. */
  function wantsPage(request: FastifyRequest): boolean {
    const asks = request.url.length > path.length + 1
    return sandbox && !asks && preferredType(request.headers.accept, { pages: true }) === 'text/html'
  }
}

/** Whether Fastify refused a body before anybody looked at it: it is too large, or not as long as was said. */
function isUnread(error: unknown): boolean {
  return String((error as { code?: unknown } | undefined)?.code).startsWith('FST_ERR_CTP_')
}

/** What a client calls itself, by either of the names that are in use. */
function clientOf({ headers }: FastifyRequest): string | undefined {
  const name = headers['graphql-client-name'] ?? headers['apollographql-client-name']
  return typeof name === 'string' ? name : undefined
}

function requireAcceptable({ headers }: FastifyRequest): void {
  if (preferredType(headers.accept)) return
  throw refusalOf(badRequest('Accept application/graphql-response+json or application/json.'), 406)
}

/** A body is JSON in UTF-8, as it is. */
function requireJson({ headers }: FastifyRequest): void {
  if (headers['content-type'] === 'application/json' && headers['content-encoding'] === undefined) return
  const [, charset] = /^application\/json[ \t]*(?:;[ \t]*charset="?([\w-]+)"?[ \t]*)?$/i.exec(
    headers['content-type'] ?? '',
  ) ?? [undefined, 'none']
  const encoding = headers['content-encoding'] ?? 'identity'
  if ((charset ?? 'utf-8').toLowerCase() === 'utf-8' && encoding.toLowerCase() === 'identity') return
  throw refusalOf(badRequest('Send application/json in UTF-8, not compressed.'), 415, { 'accept-encoding': 'identity' })
}

/**
 * Refuses what a page of another origin can make a browser send without asking (CSRF): a GET without a header that needs
 * a preflight. A POST of JSON always needs one.
 */
function requirePreflighted({ headers }: FastifyRequest): void {
  const { 'content-type': contentType } = headers
  if (contentType && /^application\/json\b/i.test(contentType)) return
  if (preflightHeaders.some((name) => headers[name])) return
  throw refusalOf(badRequest(`Send a header that needs a preflight: ${preflightHeaders.join(' or ')}.`))
}

function badRequest(message: string): ServiceError {
  return new ServiceError('BAD_REQUEST', message)
}
