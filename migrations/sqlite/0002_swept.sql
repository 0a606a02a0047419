-- What the sweeper has deleted and no plugin has asked for yet. Same name as in
-- postgres/0002_swept.sql; what differs: one row for one tenant and collection here, several there.

CREATE TABLE loggia_swept (
    tenant     INTEGER NOT NULL,
    -- The collection's table.
    collection TEXT NOT NULL,
    documents  INTEGER NOT NULL,
    PRIMARY KEY (collection, tenant)
) STRICT, WITHOUT ROWID;
