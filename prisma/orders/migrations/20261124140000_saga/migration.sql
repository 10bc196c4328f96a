-- Who moved an order on. What was moved on until now was placed by its customer, and else by the shop's own processes.
CREATE TYPE "order_actor" AS ENUM ('CUSTOMER', 'STAFF', 'SYSTEM');
ALTER TABLE "order_transitions" ADD COLUMN "by" "order_actor", ADD COLUMN "by_id" UUID;
UPDATE "order_transitions" t SET
  "by" = CASE WHEN "position" = 0 THEN 'CUSTOMER'::"order_actor" ELSE 'SYSTEM' END,
  "by_id" = CASE WHEN "position" = 0 THEN o."customer_id" END
FROM "orders" o WHERE o."id" = t."order_id";
ALTER TABLE "order_transitions" ALTER COLUMN "by" SET NOT NULL;

ALTER TABLE "orders" ADD COLUMN "tracking_number" TEXT;

-- What staff look for: all orders, and those of a status, newest first.
CREATE INDEX "orders_status_created_at_id_idx" ON "orders"("status", "created_at" DESC, "id" DESC);
CREATE INDEX "orders_created_at_id_idx" ON "orders"("created_at" DESC, "id" DESC);
