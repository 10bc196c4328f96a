-- What is there was told by the first event of its account, which is the only one that was listened to so far.
ALTER TABLE "contacts" ADD COLUMN     "sequence" INTEGER NOT NULL DEFAULT 1;

-- CreateTable
CREATE TABLE "erasures" (
    "user_id" UUID NOT NULL,
    "erased_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "erasures_pkey" PRIMARY KEY ("user_id")
);
