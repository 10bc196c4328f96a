-- The place in the trace of the event that it tells of, which its deliveries go on from.
ALTER TABLE "notifications" ADD COLUMN "traceparent" TEXT;
