-- The gateway's own tables. Same names as in postgres/0001_gateway.sql; what differs:
-- versions come from a reserved block of numbers here, and from a sequence there.

CREATE TABLE loggia_tenant (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- The last applied manifest of each plugin.
CREATE TABLE loggia_plugin (
    name       TEXT PRIMARY KEY,
    manifest   TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- Keys that the gateway makes for itself, such as the one that seals cursors.
CREATE TABLE loggia_secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- The first version that no gateway has reserved yet. One row.
CREATE TABLE loggia_version (
    reserved INTEGER NOT NULL
) STRICT;
INSERT INTO loggia_version VALUES (1);
