-- The unpaid orders of a customer: few rows, however long the table.
CREATE INDEX "orders_unpaid_idx" ON "orders"("customer_id") WHERE "status" = 'PENDING';
