-- What the sweeper has deleted and no plugin has asked for yet. Same name as in
-- sqlite/0002_swept.sql; what differs: several rows for one tenant and collection here, one there.
-- A gateway that sweeps adds rows and waits for nobody; once in a while it folds them.

CREATE TABLE loggia_swept (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     integer NOT NULL,
    -- The collection's table.
    collection text COLLATE "C" NOT NULL,
    documents  bigint NOT NULL
);
CREATE INDEX loggia_swept_by_tenant ON loggia_swept (collection, tenant);
