-- Contact and proof of the address.
ALTER TABLE "users" ADD COLUMN "phone" TEXT, ADD COLUMN "email_verified_at" TIMESTAMPTZ(3);

-- When a key begins to sign. Those that are there do so already.
ALTER TABLE "signing_keys" ADD COLUMN "signs_from" TIMESTAMPTZ(3);
UPDATE "signing_keys" SET "signs_from" = "created_at";
ALTER TABLE "signing_keys" ALTER COLUMN "signs_from" SET NOT NULL;

-- A session that was ended has its end as its expiry, so that one index finds all that are over.
UPDATE "sessions" SET "expires_at" = "revoked_at" WHERE "revoked_at" < "expires_at";

CREATE TYPE "code_purpose" AS ENUM ('RESET_PASSWORD', 'VERIFY_EMAIL');

CREATE TABLE "one_time_codes" (
    "user_id" UUID NOT NULL,
    "purpose" "code_purpose" NOT NULL,
    "email" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "wrong_tries" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "one_time_codes_pkey" PRIMARY KEY ("user_id", "purpose")
);

ALTER TABLE "one_time_codes" ADD CONSTRAINT "one_time_codes_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE INDEX "users_created_at_id_idx" ON "users"("created_at", "id");

CREATE INDEX "sessions_expires_at_idx" ON "sessions"("expires_at");

CREATE INDEX "outbox_key_idx" ON "outbox"("key");

-- Which accounts are erased: few, however long the table.
CREATE INDEX "outbox_erased_idx" ON "outbox"("key") WHERE "type" = 'user.erased';

CREATE INDEX "users_admins_idx" ON "users"("id") WHERE 'ADMIN' = ANY ("roles");

-- For what is searched within names and addresses. The extension is a trusted one: the database's owner may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX "users_name_trgm_idx" ON "users" USING gin ("name" gin_trgm_ops);
CREATE INDEX "users_email_trgm_idx" ON "users" USING gin ("email" gin_trgm_ops);
