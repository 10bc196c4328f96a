-- What the sandbox provider keeps. It plays another party: the payments service never looks here, and asks it over HTTP.
CREATE SCHEMA "sandbox";

CREATE TABLE "sandbox"."charges" (
    -- What the shop calls it: the same again is the same charge.
    "id" UUID NOT NULL,
    -- What the sandbox calls it.
    "reference" TEXT NOT NULL,
    "amount" INTEGER NOT NULL CHECK ("amount" >= 0),
    "currency" CHAR(3) NOT NULL,
    "method" TEXT NOT NULL,
    "status" TEXT NOT NULL CHECK ("status" IN ('processing', 'requires_action', 'captured', 'declined')),
    "reason" TEXT,
    -- What of it went back or is on its way.
    "refunded" INTEGER NOT NULL DEFAULT 0 CHECK ("refunded" BETWEEN 0 AND "amount"),
    -- When a charge that is processed is captured.
    "settles_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "charges_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "charges_reference_key" UNIQUE ("reference")
);

CREATE TABLE "sandbox"."refunds" (
    "id" UUID NOT NULL,
    "reference" TEXT NOT NULL,
    "charge_id" UUID NOT NULL REFERENCES "sandbox"."charges"("id"),
    "amount" INTEGER NOT NULL CHECK ("amount" > 0),
    "status" TEXT NOT NULL CHECK ("status" IN ('pending', 'succeeded', 'failed')),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "refunds_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "sandbox"."callbacks" (
    "id" BIGSERIAL NOT NULL,
    "body" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "callbacks_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "charges_unsettled_idx" ON "sandbox"."charges"("settles_at") WHERE "status" = 'processing';
CREATE INDEX "sandbox_refunds_charge_idx" ON "sandbox"."refunds"("charge_id");
CREATE INDEX "callbacks_due_idx" ON "sandbox"."callbacks"("next_attempt_at");
