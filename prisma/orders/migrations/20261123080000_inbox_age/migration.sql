-- Old marks are found by their age.
CREATE INDEX "inbox_handled_at_idx" ON "inbox" USING BRIN ("handled_at");
