-- When each schedule runs next, and which gateway runs it now. Same in both databases. Times are in
-- microseconds since 1970, on the database's clock.
CREATE TABLE loggia_schedule (
    plugin     TEXT NOT NULL,
    operation  TEXT NOT NULL,
    -- No run begins before it.
    next_at    INTEGER NOT NULL,
    -- Names the run under way, until it is over or this time has come.
    holder     TEXT NOT NULL,
    held_until INTEGER NOT NULL,
    -- Calls so far, one for each tenant, and those of them that failed.
    calls      INTEGER NOT NULL DEFAULT 0,
    failures   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plugin, operation)
) STRICT;
