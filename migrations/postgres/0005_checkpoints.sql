-- Copies of documents that plugins have asked for. Same names as in sqlite.

CREATE TABLE loggia_checkpoint (
    id         text COLLATE "C" NOT NULL,
    tenant     integer NOT NULL,
    plugin     text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    label      text COLLATE "C" NOT NULL,
    metadata   jsonb NOT NULL,
    created_at bigint NOT NULL,
    scopes     jsonb NOT NULL,
    documents  bigint NOT NULL,
    bytes      bigint NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX loggia_checkpoint_subject ON loggia_checkpoint (tenant, plugin, subject, created_at, id);

-- Documents in the order of their ids, as an array of [id, version, created_at, updated_at,
-- expires_at, body].
CREATE TABLE loggia_checkpoint_chunk (
    checkpoint text COLLATE "C" NOT NULL,
    tenant     integer NOT NULL,
    collection text COLLATE "C" NOT NULL,
    number     integer NOT NULL,
    last_id    text COLLATE "C" NOT NULL,
    documents  integer NOT NULL,
    bytes      bigint NOT NULL,
    data       text COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (tenant, checkpoint, collection, number),
    FOREIGN KEY (tenant, checkpoint) REFERENCES loggia_checkpoint (tenant, id) ON DELETE CASCADE
);
