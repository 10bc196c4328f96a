-- What is held is either sold, and may come back then, or put back.
ALTER TYPE "reservation_status" ADD VALUE 'COMMITTED' AFTER 'HELD';
ALTER TYPE "reservation_status" ADD VALUE 'RETURNED';
ALTER TYPE "stock_reason" ADD VALUE 'COMMITTED' AFTER 'RESERVED';
ALTER TYPE "stock_reason" ADD VALUE 'RETURNED' AFTER 'EXPIRED';
ALTER TYPE "stock_reason" ADD VALUE 'ADJUSTED';

ALTER TABLE "products"
  ADD COLUMN "stock_version" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "stock_fence" BIGINT NOT NULL DEFAULT 0;

-- Who holds the lock of a product's stock gets the next of these: the greater, the later.
CREATE SEQUENCE "stock_fences";

-- The ledger tells of what is held too, and of who did it. Until now what was taken off was held, and only that.
ALTER TABLE "stock_entries" ADD COLUMN "held" INTEGER, ADD COLUMN "actor" TEXT;
UPDATE "stock_entries" SET
  "held" = CASE WHEN "reason" = 'INITIAL' THEN 0 ELSE -"delta" END,
  "actor" = CASE "reason" WHEN 'INITIAL' THEN 'seed' WHEN 'EXPIRED' THEN 'products' ELSE 'orders' END;
ALTER TABLE "stock_entries" ALTER COLUMN "held" SET NOT NULL, ALTER COLUMN "actor" SET NOT NULL;

CREATE TABLE "stock_adjustments" (
    "id" UUID NOT NULL,
    "actor" TEXT NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "product_id" UUID NOT NULL,
    "delta" INTEGER NOT NULL,
    "note" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "stock_adjustments_pkey" PRIMARY KEY ("actor","idempotency_key")
);
CREATE UNIQUE INDEX "stock_adjustments_id_key" ON "stock_adjustments"("id");

CREATE TABLE "inbox" (
    "event_id" UUID NOT NULL,
    "handled_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "inbox_pkey" PRIMARY KEY ("event_id")
);
CREATE INDEX "inbox_handled_at_idx" ON "inbox" USING BRIN ("handled_at");
