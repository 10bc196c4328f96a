-- Makes the end of this order wait for the end of the transaction, after waiting for one that is under way, and says whether there was
-- one. Within a statement it sees what was committed before it looks, and not only before the statement began.
CREATE FUNCTION is_closed(ended UUID) RETURNS BOOLEAN LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(5270043, hashtext(ended::TEXT));
  RETURN EXISTS (SELECT FROM closed_orders WHERE order_id = ended);
END $$;
