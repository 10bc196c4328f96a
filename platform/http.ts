import type { Socket } from 'node:net'
import Fastify, {
  type ConnectionError,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { type ErrorCode, ServiceError } from './errors.ts'
import type { HealthMonitor } from './health.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Mask } from './mask.ts'
import type { Metrics } from './metrics.ts'
import { traceIdOf } from './telemetry/http.ts'

/** The HTTP status of an error that is answered without GraphQL. */
export const httpStatus: Record<ErrorCode, number> = {
  BAD_REQUEST: 400,
  BAD_USER_INPUT: 400,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  OPERATION_RESOLUTION_FAILURE: 400,
  PERSISTED_QUERY_NOT_FOUND: 400,
  PERSISTED_QUERY_NOT_SUPPORTED: 400,
  QUERY_NOT_IN_SAFELIST: 403,
  OPERATION_TOO_COMPLEX: 400,
  PAYLOAD_TOO_LARGE: 413,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  INVALID_CREDENTIALS: 401,
  EMAIL_TAKEN: 409,
  NOT_FOUND: 404,
  INSUFFICIENT_STOCK: 409,
  TOO_MANY_UNPAID_ORDERS: 409,
  RESERVATION_ENDED: 409,
  ILLEGAL_TRANSITION: 409,
  VERSION_CONFLICT: 409,
  IDEMPOTENCY_KEY_REUSED: 409,
  IN_PROGRESS: 409,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  SUBGRAPH_TIMEOUT: 504,
  SUBGRAPH_UNAVAILABLE: 503,
  INTERNAL_SERVER_ERROR: 500,
}

/** An error in GraphQL's response shape. */
export function graphqlError({ code, message, details }: ServiceError) {
  return { message, extensions: { code, ...details } }
}

export type HttpOptions = {
  lifecycle: Lifecycle
  health: HealthMonitor
  mask: Mask
  /** Served at `/metrics`. Absent: there is no such path. */
  metrics?: Metrics
  /** Bytes of a request's body, at the most. */
  bodyLimit: number
  /** Milliseconds that a client may take to send a request, headers and body. Default 15000. */
  receiveTimeout?: number
  /**
   * Milliseconds after which a connection on which nothing moves is closed while an answer is awaited on it, or sent: a client that is gone, or
   * does not read. Default 130000, more than any request may take.
   */
  idleTimeout?: number
  /** How many proxies in front add to `X-Forwarded-For`. Default 0: the header is ignored. */
  trustedProxies?: number
  /** Connections that are open at once, at the most. Default: any. */
  maxConnections?: number
  /** Headers of every answer to a request that is HTTP, whatever it asks. Default: none. */
  headersOf?: (request: FastifyRequest) => Readonly<Record<string, string>>
}

/** Bytes of a body that is too large which are read all the same, so that its sender sees the answer. */
const mostDiscarded = 8 * 1024 * 1024
/** Milliseconds between looks for clients that take too long. */
const receiveCheckInterval = 1_000

/**
 * An HTTP server with what every process serves: `/health/live`, `/health/ready`, `/health` and `/metrics`. A request that
 * is refused gets an error in GraphQL's response shape, also one that is not HTTP or does not arrive in time, and the
 * `Retry-After` that the error knows. Once the process stops, each answer ends its connection, so that whoever comes again
 * makes a new one, and finds another instance when this one listens no more.
 */
export function createHttpServer({
  lifecycle,
  health,
  mask,
  metrics,
  bodyLimit,
  receiveTimeout = 15_000,
  idleTimeout = 130_000,
  trustedProxies = 0,
  maxConnections,
  headersOf = () => ({}),
}: HttpOptions): FastifyInstance {
  const answerError = (error: FastifyError, reply: FastifyReply) => {
    const { refusal, status } = refusalOf(error, mask)
    // Closed while a client still sends, a connection loses the answer too. What it said it would send is read and thrown away.
    const announced = Number(reply.request.headers['content-length'])
    if (refusal.code === 'PAYLOAD_TOO_LARGE' && announced <= mostDiscarded) reply.removeHeader('connection')
    if (refusal.code === 'UNAUTHENTICATED') reply.header('www-authenticate', challenge(refusal))
    const { retryAfter } = refusal.details
    if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
    const { message, extensions } = graphqlError(refusal)
    const traceId = traceIdOf(reply.request)
    return reply
      .code(status)
      .send({ errors: [{ message, extensions: { ...extensions, ...(traceId && { traceId }) } }] })
  }
  const app = Fastify({
    logger: false,
    bodyLimit,
    trustProxy: trustedProxies > 0 && ((_address, hop) => hop < trustedProxies),
    requestTimeout: receiveTimeout,
    connectionTimeout: idleTimeout,
    http: { headersTimeout: receiveTimeout, connectionsCheckingInterval: receiveCheckInterval },
    forceCloseConnections: 'idle',
    // Who got in is answered.
    return503OnClosing: false,
    // Of a path that cannot be decoded: no hook is asked.
    frameworkErrors: (error, request, reply) => void answerError(error, reply.headers(headersOf(request))),
    clientErrorHandler: refuseConnection,
  })
  if (maxConnections !== undefined) app.server.maxConnections = maxConnections
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headersOf(request))
    const refusal = ambiguity(request)
    if (!refusal) return done()
    // What follows on the connection may be part of it.
    reply.header('connection', 'close')
    // Once the parser has seen the rest, which it may refuse itself: there is one answer.
    setImmediate(done, new ServiceError('BAD_REQUEST', refusal))
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (lifecycle.stopping) reply.header('connection', 'close')
    done(null, payload)
  })
  if (metrics) measureRequests(app, metrics)
  app.setErrorHandler<FastifyError>((error, _request, reply) => answerError(error, reply))
  app.setNotFoundHandler((_request, reply) => {
    return reply.code(404).send({ errors: [graphqlError(new ServiceError('NOT_FOUND', 'There is no such path.'))] })
  })

  app.get('/health/live', (_request, reply) => reply.send({ status: 'UP' }))
  app.get('/health/ready', (_request, reply) => {
    const ready = lifecycle.ready && health.report().status !== 'DOWN'
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'UP' : 'DOWN' })
  })
  app.get('/health', (_request, reply) => {
    const report = health.report()
    return reply.code(report.status === 'DOWN' ? 503 : 200).send(report)
  })
  if (metrics)
    app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  return app
}

/** Methods that a label names. Clients may make up others. */
const methods = new Set(['GET', 'POST', 'HEAD', 'OPTIONS'])

/** Measures requests by their route, which is one of ours, and not by their path. */
function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  const labels = ['method', 'route', 'status'] as const
  const durations = metrics.histogram(
    'http_server_request_duration_seconds',
    'Requests, until they are answered.',
    labels,
  )
  app.addHook('onResponse', (request, reply, done) => {
    const method = methods.has(request.method) ? request.method : 'OTHER'
    const route = request.routeOptions.url ?? 'unknown'
    durations.observe({ method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000)
    done()
  })
}

function refusalOf(error: FastifyError, mask: Mask): { refusal: ServiceError; status: number } {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return { refusal: new ServiceError('PAYLOAD_TOO_LARGE', 'The request is too large.'), status: 413 }
  }
  // Fastify's other refusals of a request: no JSON, a wrong length, a file that is not to be had.
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    const code = error.statusCode === 403 ? 'FORBIDDEN' : 'BAD_REQUEST'
    return { refusal: new ServiceError(code, error.message), status: error.statusCode }
  }
  const refusal = mask(error)
  return { refusal, status: httpStatus[refusal.code] }
}

/** Headers of which Node takes the first and others the last, where there are several. */
const single = new Set(['host', 'content-type', 'authorization'])
const singleLengths = new Set([...single].map(({ length }) => length))

/** Why a proxy in front may have read a request in another way (RFC 9112, sections 3.2 and 6.1), if it may. */
function ambiguity({ raw: { headers, rawHeaders } }: FastifyRequest): string | undefined {
  if ((headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked') {
    return 'The only transfer coding is chunked.'
  }
  const seen: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const written = rawHeaders[index] ?? ''
    if (!singleLengths.has(written.length)) continue
    const name = written.toLowerCase()
    if (!single.has(name)) continue
    if (seen.includes(name)) return `The header ${name} stands more than once.`
    seen.push(name)
  }
  return undefined
}

/** Answers what is no request that a handler could answer, and closes the connection. */
function refuseConnection({ code }: ConnectionError, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const [status, message] = connectionErrors[code] ?? ['400 Bad Request', 'This is not HTTP.']
  const body = JSON.stringify({ errors: [graphqlError(new ServiceError('BAD_REQUEST', message))] })
  const headers = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`)
}

/** Node's codes for a connection that it gives up. */
const connectionErrors: Record<string, [status: string, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large.'],
}

/** RFC 6750, section 3. */
function challenge({ message }: ServiceError): string {
  return `Bearer error="invalid_token", error_description="${message.replaceAll(/["\\]/g, '')}"`
}
