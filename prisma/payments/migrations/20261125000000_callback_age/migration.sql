-- Old callbacks are found by their age.
CREATE INDEX "callbacks_received_at_idx" ON "callbacks" USING BRIN ("received_at");
