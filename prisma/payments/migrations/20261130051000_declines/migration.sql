-- The latest declines of a customer: what is captured is not in it.
CREATE INDEX "payments_declined_idx" ON "payments"("customer_id", "updated_at") WHERE "status" = 'DECLINED';
