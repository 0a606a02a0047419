-- Declared counts. Same names as in sqlite/0003_counts.sql.

-- How each count that is kept was declared, and the statements that take it away, a line each: one
-- that is declared otherwise is taken away and made anew.
CREATE TABLE loggia_count (
    name       text COLLATE "C" PRIMARY KEY,
    plugin     text COLLATE "C" NOT NULL,
    definition text NOT NULL,
    removal    text NOT NULL
);

-- The limits of counts, by the settings that they name. The tenant 0 stands for all that have no
-- row of their own.
CREATE TABLE loggia_limit (
    plugin  text COLLATE "C" NOT NULL,
    setting text COLLATE "C" NOT NULL,
    tenant  integer NOT NULL,
    value   bigint NOT NULL,
    PRIMARY KEY (plugin, setting, tenant)
);
