/** A row for each transaction that waits for a lock in the database that is asked, others on its server not counted. */
export const lockWaits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
