-- When each schedule runs next, and which gateway runs it now. Same in both databases. Times are in
-- microseconds since 1970, on the database's clock.
CREATE TABLE loggia_schedule (
    plugin     text COLLATE "C" NOT NULL,
    operation  text COLLATE "C" NOT NULL,
    -- No run begins before it.
    next_at    bigint NOT NULL,
    -- Names the run under way, until it is over or this time has come.
    holder     text COLLATE "C" NOT NULL,
    held_until bigint NOT NULL,
    -- Calls so far, one for each tenant, and those of them that failed.
    calls      bigint NOT NULL DEFAULT 0,
    failures   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (plugin, operation)
);
