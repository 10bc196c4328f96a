-- An archived product is for sale no longer. It stays for the orders that have it.
ALTER TABLE "products" ADD COLUMN "archived_at" TIMESTAMPTZ(3);

-- Categories side by side have different names, at the top too, where the parent is null.
CREATE UNIQUE INDEX "categories_top_name_key" ON "categories"("name") WHERE "parent_id" IS NULL;

-- One index for each order in which the catalogue is read. None has the stock in it, not even as its condition: a change of
-- stock then touches no index at all.
DROP INDEX "products_created_at_id_idx";
CREATE INDEX "products_newest_idx" ON "products"("created_at" DESC, "id" DESC) WHERE "archived_at" IS NULL;
CREATE INDEX "products_price_idx" ON "products"("price_amount", "id") WHERE "archived_at" IS NULL;
CREATE INDEX "products_name_idx" ON "products"((lower("name") COLLATE "C"), "id") WHERE "archived_at" IS NULL;
CREATE INDEX "products_currency_idx" ON "products"("price_currency") WHERE "archived_at" IS NULL;
CREATE INDEX "products_category_newest_idx" ON "products"("category_id", "created_at" DESC, "id" DESC) WHERE "archived_at" IS NULL;

-- Text as its words are searched: without punctuation, so that `black/white` is two words and no path, and with each
-- Chinese, Japanese or Korean character as a word, since those languages write no spaces that could be relied on.
CREATE FUNCTION "search_text"("value" TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(
  translate("value", $punctuation$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$punctuation$, repeat(' ', 32)),
  '([\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff])', ' \1 ', 'g');

ALTER TABLE "products" ADD COLUMN "search" tsvector GENERATED ALWAYS AS (
  setweight(to_tsvector('simple', "search_text"("name")), 'A') || setweight(to_tsvector('simple', "search_text"("description")), 'B')
) STORED;

-- What is written goes into the index at once: a list of what waits would make searches slow now and then.
CREATE INDEX "products_search_idx" ON "products" USING gin ("search") WITH (fastupdate = off) WHERE "archived_at" IS NULL;

-- The words of all names, among which those are looked for that a mistyped one may mean.
CREATE TABLE "product_words" (
    "word" TEXT NOT NULL,

    CONSTRAINT "product_words_pkey" PRIMARY KEY ("word")
);

CREATE FUNCTION "words_of"("value" TEXT) RETURNS SETOF TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN unnest(tsvector_to_array(to_tsvector('simple', "search_text"("value"))));

INSERT INTO "product_words" ("word")
SELECT DISTINCT "word" FROM "products", "words_of"("name") AS "word" WHERE length("word") BETWEEN 4 AND 32;

-- Where pg_trgm is missing or may not be created, nothing is near to anything, and searches forgive no typing errors. To
-- have them forgiven there later, run this block after DROP FUNCTION "nearest_words".
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX "product_words_trgm_idx" ON "product_words" USING gin ("word" gin_trgm_ops);
  CREATE FUNCTION "nearest_words"("wanted" TEXT) RETURNS SETOF TEXT LANGUAGE sql STABLE STRICT
  BEGIN ATOMIC
    SELECT "word" FROM "product_words" WHERE "word" % "wanted" ORDER BY similarity("word", "wanted") DESC, "word" LIMIT 3;
  END;
EXCEPTION
  WHEN feature_not_supported OR insufficient_privilege OR undefined_file OR undefined_object OR undefined_function THEN
    CREATE FUNCTION "nearest_words"("wanted" TEXT) RETURNS SETOF TEXT LANGUAGE sql STABLE STRICT
    BEGIN ATOMIC
      SELECT NULL::TEXT WHERE false;
    END;
END
$$;
