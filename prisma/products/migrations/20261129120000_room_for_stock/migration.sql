-- A change of stock touches no index as long as the new row finds room on the page of the old one. Pages that are filled from now on
-- keep some.
ALTER TABLE "products" SET (fillfactor = 80);
