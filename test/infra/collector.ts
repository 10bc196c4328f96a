import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'
import { z } from 'zod'

const id = z.instanceof(Buffer).transform((bytes) => bytes.toString('hex'))
const attributes = z
  .array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }))
  .default([])
  .transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]])))
const span = z.object({
  traceId: id,
  spanId: id,
  parentSpanId: id.optional(),
  traceState: z.string().optional(),
  name: z.string(),
  kind: z.string(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes,
  events: z.array(z.object({ name: z.string(), attributes })).default([]),
  links: z.array(z.object({ traceId: id, spanId: id })).default([]),
  status: z.object({ code: z.string().default('UNSET'), message: z.string().optional() }).default({ code: 'UNSET' }),
})
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
})

/** A span as it arrived, with the process that it is from. */
export type CollectedSpan = z.output<typeof span> & { service: string }

/** A collector of traces: takes OTLP over HTTP in protobuf, and keeps what it was sent. */
export async function startCollector() {
  const root = await protobuf.load(fileURLToPath(new URL('./collector.proto', import.meta.url)))
  const requests = root.lookupType('otlp.ExportTraceServiceRequest')
  const spans: CollectedSpan[] = []
  const headers: Record<string, unknown>[] = []
  let status = 200
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    headers.push(request.headers)
    response.writeHead(status, { 'content-type': 'application/x-protobuf' }).end()
    if (status !== 200) return
    assert.equal(`${request.method} ${request.url}`, 'POST /v1/traces')
    assert.equal(request.headers['content-type'], 'application/x-protobuf')
    const decoded = requests.toObject(requests.decode(body), { enums: String, longs: String, bytes: Buffer })
    for (const { resource, scopeSpans } of exported.parse(decoded).resourceSpans) {
      const service = String(resource.attributes['service.name'])
      for (const { spans: sent } of scopeSpans) spans.push(...sent.map((span) => ({ ...span, service })))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    headers,
    /** Answers with a status from now on; what it is sent with another one than 200 it does not keep. */
    answer(next: number): void {
      status = next
    },
    /** The spans of a trace so far. */
    traceOf: (traceId: string) => spans.filter((span) => span.traceId === traceId),
    stop(): void {
      server.closeAllConnections()
      server.close()
    },
  }
}

export type Collector = Awaited<ReturnType<typeof startCollector>>
