-- Copies of documents that plugins have asked for. Same names as in postgres; what differs: a
-- trigger deletes the chunks of a checkpoint, since foreign keys are off.

CREATE TABLE loggia_checkpoint (
    id         TEXT NOT NULL,
    tenant     INTEGER NOT NULL,
    plugin     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    label      TEXT NOT NULL,
    metadata   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    scopes     TEXT NOT NULL,
    documents  INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX loggia_checkpoint_subject ON loggia_checkpoint (tenant, plugin, subject, created_at, id);

-- Documents in the order of their ids, as an array of [id, version, created_at, updated_at,
-- expires_at, body].
CREATE TABLE loggia_checkpoint_chunk (
    checkpoint TEXT NOT NULL,
    tenant     INTEGER NOT NULL,
    collection TEXT NOT NULL,
    number     INTEGER NOT NULL,
    last_id    TEXT NOT NULL,
    documents  INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    data       TEXT NOT NULL,
    PRIMARY KEY (tenant, checkpoint, collection, number)
) STRICT;

CREATE TRIGGER loggia_checkpoint_deleted AFTER DELETE ON loggia_checkpoint BEGIN
    DELETE FROM loggia_checkpoint_chunk WHERE tenant = OLD.tenant AND checkpoint = OLD.id;
END;
