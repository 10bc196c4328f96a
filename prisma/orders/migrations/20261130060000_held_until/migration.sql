-- Null for orders from before it was kept: they can be paid until their hold ends, as ever.
ALTER TABLE "orders" ADD COLUMN "held_until" TIMESTAMPTZ(3);
