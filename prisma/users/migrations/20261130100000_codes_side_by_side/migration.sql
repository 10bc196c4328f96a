-- Codes that were mailed before the newest one, and when each expires. The version before goes on with the newest alone.
ALTER TABLE "one_time_codes" ADD COLUMN "earlier" JSONB NOT NULL DEFAULT '{}';
