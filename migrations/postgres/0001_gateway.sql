-- The gateway's own tables. Same names as in sqlite/0001_gateway.sql; what differs:
-- versions come from a sequence here, and from a reserved block of numbers there.

CREATE TABLE loggia_tenant (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text COLLATE "C" NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The last applied manifest of each plugin.
CREATE TABLE loggia_plugin (
    name       text COLLATE "C" PRIMARY KEY,
    manifest   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Keys that the gateway makes for itself, such as the one that seals cursors.
CREATE TABLE loggia_secret (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- Versions of all documents. CACHE 1: with a larger cache, two connections would hand out
-- numbers out of order, and a version would not grow on every write of an id.
CREATE SEQUENCE loggia_version AS bigint CACHE 1;
