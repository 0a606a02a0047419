-- Declared counts. Same names as in postgres/0003_counts.sql.

-- How each count that is kept was declared, and the statements that take it away, a line each: one
-- that is declared otherwise is taken away and made anew.
CREATE TABLE loggia_count (
    name       TEXT PRIMARY KEY,
    plugin     TEXT NOT NULL,
    definition TEXT NOT NULL,
    removal    TEXT NOT NULL
) STRICT;

-- The limits of counts, by the settings that they name. The tenant 0 stands for all that have no
-- row of their own.
CREATE TABLE loggia_limit (
    plugin  TEXT NOT NULL,
    setting TEXT NOT NULL,
    tenant  INTEGER NOT NULL,
    value   INTEGER NOT NULL,
    PRIMARY KEY (plugin, setting, tenant)
) STRICT, WITHOUT ROWID;
