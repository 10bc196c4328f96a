ALTER TYPE "notification_type" ADD VALUE 'EMAIL_CHANGED';

-- Where what protects an account is mailed once the account has another address.
ALTER TABLE "deliveries" ADD COLUMN "address" TEXT;
