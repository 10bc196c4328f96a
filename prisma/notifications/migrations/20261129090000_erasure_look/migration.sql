-- Makes an erasure of this account wait for the end of the transaction, after waiting for one that is under way, and says whether
-- there was one. Within a statement it sees what was committed before it looks, and not only before the statement began.
CREATE FUNCTION is_erased(account UUID) RETURNS BOOLEAN LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7340021, hashtext(account::TEXT));
  RETURN EXISTS (SELECT FROM erasures WHERE user_id = account);
END $$;
