-- How much went to an account over a channel in the hour that began at `since`.
CREATE TABLE "delivery_counts" (
    "user_id" UUID NOT NULL,
    "channel" "channel" NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "delivery_counts_pkey" PRIMARY KEY ("user_id","channel")
);
