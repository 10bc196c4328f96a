import {
  type Attributes,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import {
  childOf,
  currentContext,
  isSampled,
  type RequestContext,
  readTrace,
  runWithContext,
  type Trace,
  type TraceHeaders,
  type TracePlace,
  traceOf,
} from '../context.ts'
import { type ErrorCode, isErrorCode } from '../errors.ts'

/** What spans are recorded with. */
export type Recorder = {
  readonly tracer: Tracer
  /** Whether a trace that begins here is recorded. */
  readonly sample: () => boolean
}

/**
 * The recorder of this process, as in OpenTelemetry's own API. It is not registered there: libraries that make spans of their own
 * put into them what they like.
 */
let recorder: Recorder | undefined

/** Records spans from now on, or none any more. */
export function recordSpans(next: Recorder | undefined): void {
  recorder = next
}

/** Whether a trace that begins here is recorded. */
export function sampled(): boolean {
  return recorder?.sample() ?? false
}

export type SpanOptions = {
  /** Default internal. */
  kind?: keyof typeof SpanKind
  /** Names and values by https://opentelemetry.io/docs/specs/semconv. Never an address, a name, a token or another's words. */
  attributes?: Attributes
  /** Places that led to this one by another way than its parent. */
  links?: readonly TracePlace[]
}

/** Work that another process asked for. */
export type Entered = {
  /** How the trace is passed on from here. */
  readonly trace: Trace
  /** The span of the work, which whoever began it ends. Absent: it is not recorded. */
  readonly span: Span | undefined
}

/** Begins work that another process asked for, under the place in its trace; without one, in a new trace. */
export function enter(parent: TracePlace | undefined, name: string, options: SpanOptions = {}): Entered {
  const recorded = parent?.sampled ?? sampled()
  if (!recorder || !recorded) return { trace: childOf(parent, recorded), span: undefined }
  const span = start(recorder, parent, name, options)
  return { trace: traceOf({ ...placeOf(span), ...(parent?.tracestate && { tracestate: parent.tracestate }) }), span }
}

/**
 * Does work in a span of its own within the trace at hand, and in the context of that span. Next to nothing where the trace is not
 * recorded: `work` gets no span then. The span ends with the work, failed where that failed.
 */
export function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const context = currentContext()
  return context ? inSpanOf(context, name, options, (_context, span) => work(span)) : work(undefined)
}

/** The same within the trace of a context that is handed on by itself: `work` gets the one to hand on. */
export function inSpanOf<T, Context extends RequestContext>(
  context: Context,
  name: string,
  options: SpanOptions,
  work: (context: Context, span: Span | undefined) => Promise<T>,
): Promise<T> {
  if (!recorder || !isSampled(context)) return work(context, undefined)
  const span = start(recorder, readTrace(context), name, options)
  const within = { ...context, traceparent: traceOf(placeOf(span)).traceparent }
  return endWith(
    span,
    runWithContext(within, () => work(within, span)),
  )
}

/**
 * Goes on with what was written down or sent some time ago: in the same trace, and with a link to the place that led here, since
 * nobody there waits for it. What holds no place in a trace begins a new one.
 */
export function resume<T>(
  left: TraceHeaders,
  name: string,
  options: SpanOptions,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const place = readTrace(left)
  const { trace, span } = enter(place, name, { ...options, ...(place && { links: [place] }) })
  return endWith(
    span,
    runWithContext(trace, () => work(span)),
  )
}

/** Whether spans of the trace at hand are recorded: asked before something is made for their sake alone. */
export function isRecorded(context: Trace | undefined = currentContext()): boolean {
  return recorder !== undefined && context !== undefined && isSampled(context)
}

/** Ends a span when the work has ended, and with it. */
export async function endWith<T>(span: Span | undefined, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    failWith(span, error)
    throw error
  } finally {
    span?.end()
  }
}

/**
 * Says why the work of a span failed, by a code or a class alone: messages and stacks may hold what is nobody's business. A refusal
 * is an answer, and no fault of whoever gave it.
 */
export function failWith(span: Span | undefined, error: unknown): void {
  if (!span) return
  const type = errorType(error)
  span.setAttribute('error.type', type)
  if (!isErrorCode(type) || faults.has(type)) span.setStatus({ code: SpanStatusCode.ERROR })
}

const faults: ReadonlySet<ErrorCode> = new Set([
  'INTERNAL_SERVER_ERROR',
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNAVAILABLE',
  'OVERLOADED',
])

/** A code, or the name of a class. */
function errorType(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  const type = typeof code === 'number' ? String(code) : (code ?? name)
  return typeof type === 'string' && /^\w{1,40}$/.test(type) ? type : '_OTHER'
}

/** The place of a span in its trace. */
export function placeOf(span: Span): TracePlace {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 }
}

function start({ tracer }: Recorder, parent: TracePlace | undefined, name: string, options: SpanOptions): Span {
  const { kind = 'INTERNAL', attributes = {}, links = [] } = options
  return tracer.startSpan(
    name,
    { kind: SpanKind[kind], attributes, links: links.map((place) => ({ context: spanContextOf(place) })) },
    parent ? trace.setSpanContext(ROOT_CONTEXT, spanContextOf(parent)) : ROOT_CONTEXT,
  )
}

function spanContextOf({ traceId, spanId, sampled, tracestate }: TracePlace): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(tracestate && { traceState: createTraceState(tracestate) }),
  }
}
