-- Null for payments from before it was kept: what is told of them does not name it.
ALTER TABLE "payments" ADD COLUMN "order_number" TEXT;
