-- Texts cannot be turned back into the facts they were made of. What is here belongs to development shops alone: until now the
-- service refused to start in production, where it had no way to send e-mail.
DELETE FROM "notifications";

-- AlterEnum
ALTER TYPE "notification_type" ADD VALUE 'ORDER_PAID';
ALTER TYPE "notification_type" ADD VALUE 'PAYMENT_DECLINED';
ALTER TYPE "notification_type" ADD VALUE 'ORDER_SHIPPED';
ALTER TYPE "notification_type" ADD VALUE 'ORDER_DELIVERED';
ALTER TYPE "notification_type" ADD VALUE 'ORDER_CANCELLED';
ALTER TYPE "notification_type" ADD VALUE 'PAYMENT_REFUNDED';
ALTER TYPE "notification_type" ADD VALUE 'NEW_SIGN_IN';
ALTER TYPE "notification_type" ADD VALUE 'PASSWORD_CHANGED';

-- AlterEnum
ALTER TYPE "channel" ADD VALUE 'SMS';
ALTER TYPE "channel" ADD VALUE 'PUSH';

-- DropIndex
DROP INDEX "deliveries_notification_id_channel_key";

-- AlterTable
ALTER TABLE "contacts" ADD COLUMN     "phone" TEXT;

-- AlterTable
ALTER TABLE "notifications" DROP COLUMN "body",
DROP COLUMN "title",
ADD COLUMN     "facts" JSONB NOT NULL,
ADD COLUMN     "read_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN     "target_id" UUID NOT NULL;

-- CreateTable
CREATE TABLE "preferences" (
    "user_id" UUID NOT NULL,
    "channel" "channel" NOT NULL,
    "type" "notification_type" NOT NULL,
    "enabled" BOOLEAN NOT NULL,

    CONSTRAINT "preferences_pkey" PRIMARY KEY ("user_id","channel","type")
);

-- CreateTable
CREATE TABLE "push_subscriptions" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "endpoint" TEXT NOT NULL,
    "p256dh" TEXT NOT NULL,
    "auth" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "push_subscriptions_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "push_subscriptions_endpoint_key" ON "push_subscriptions"("endpoint");

-- CreateIndex
CREATE INDEX "push_subscriptions_user_id_created_at_idx" ON "push_subscriptions"("user_id", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "deliveries_notification_id_channel_target_id_key" ON "deliveries"("notification_id", "channel", "target_id");


-- What the delivery workers, one for each channel, look for.
DROP INDEX "deliveries_queued_idx";
CREATE INDEX "deliveries_queued_idx" ON "deliveries"("channel", "next_attempt_at") WHERE "status" = 'QUEUED';
-- What is unread, newest first, and how much of it there is.
CREATE INDEX "notifications_unread_idx" ON "notifications"("user_id", "created_at" DESC, "id" DESC) WHERE "read_at" IS NULL;
