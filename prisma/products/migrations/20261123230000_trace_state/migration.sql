-- What other tracing systems said of the trace, beside the traceparent.
ALTER TABLE "outbox" ADD COLUMN "tracestate" TEXT;
