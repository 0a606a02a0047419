//! The table and triggers of a declared count.

use std::fmt::Write as _;

use crate::manifest::FieldType;
use crate::storage::collection_sql::{postgres_type, sqlite_type};
use crate::storage::count::{Addend, Count, CountPart, Turn, clock};
use crate::storage::statement::Dialect;

/// A count as the database has it.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Recorded {
    /// Its table.
    pub(in crate::storage) name: String,
    /// What it was made of.
    pub(in crate::storage) definition: String,
    /// The statements that take it away, a line each.
    pub(in crate::storage) removal: String,
}

/// The statements that bring a plugin's counts to what is declared, for one transaction: those that
/// are declared otherwise, or no more, are taken away, and those that are not there are made and
/// count what is there.
pub(in crate::storage) fn bring_up(
    plugin: &str,
    counts: &[Count],
    recorded: &[Recorded],
    dialect: Dialect,
) -> Vec<String> {
    let same = |count: &Count, recorded: &Recorded| {
        count.table == recorded.name && count.definition() == recorded.definition
    };
    let gone = recorded.iter().filter(|recorded| !counts.iter().any(|count| same(count, recorded)));
    let mut statements: Vec<String> =
        gone.flat_map(|recorded| recorded.removal.lines().map(str::to_owned)).collect();
    let new = counts.iter().filter(|count| !recorded.iter().any(|recorded| same(count, recorded)));
    statements.extend(new.flat_map(|count| create(count, dialect)));
    if !statements.is_empty() {
        statements.push(format!("DELETE FROM loggia_count WHERE plugin = {}", literal(plugin)));
        statements.extend(counts.iter().map(|count| record(plugin, count, dialect)));
    }
    statements
}

/// The statements that take a count away that the database has.
pub(in crate::storage) fn remove(recorded: &Recorded) -> Vec<String> {
    let mut statements: Vec<String> = recorded.removal.lines().map(str::to_owned).collect();
    statements.push(format!("DELETE FROM loggia_count WHERE name = {}", literal(&recorded.name)));
    statements
}

/// The limit that holds for tenants without one of their own.
pub(in crate::storage) fn default_limit(plugin: &str, setting: &str, value: i64) -> String {
    format!(
        "INSERT INTO loggia_limit (plugin, setting, tenant, value) VALUES ({}, {}, 0, {value}) \
         ON CONFLICT (plugin, setting, tenant) DO UPDATE SET value = excluded.value",
        literal(plugin),
        literal(setting),
    )
}

fn record(plugin: &str, count: &Count, dialect: Dialect) -> String {
    format!(
        "INSERT INTO loggia_count (name, plugin, definition, removal) VALUES ({}, {}, {}, {})",
        literal(&count.table),
        literal(plugin),
        literal(&count.definition()),
        literal(&drop(count, dialect).join("\n")),
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The statements that make a count, and count what is there.
fn create(count: &Count, dialect: Dialect) -> Vec<String> {
    let mut statements = vec![table(count, dialect)];
    for part in &count.parts {
        statements.extend(match dialect {
            Dialect::Postgres => postgres_triggers(count, part),
            Dialect::Sqlite => sqlite_triggers(count, part),
        });
    }
    statements.extend(count.parts.iter().map(|part| fill(count, part, dialect)));
    statements
}

/// The statements that take a count away.
fn drop(count: &Count, dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    for part in &count.parts {
        for operation in ["i", "d", "u"] {
            let name = format!("{}_{operation}", part.trigger);
            statements.push(match dialect {
                Dialect::Postgres => format!("DROP FUNCTION IF EXISTS {name}() CASCADE"),
                Dialect::Sqlite => format!("DROP TRIGGER IF EXISTS {name}"),
            });
        }
    }
    statements.push(format!("DROP TABLE IF EXISTS {}", count.table));
    statements
}

/// Take rows of connections, as many as are free, and add them to the row of no connection: says
/// how many it took. `PostgreSQL` only.
pub(in crate::storage) fn fold(count: &Count) -> String {
    let table = &count.table;
    let names = columns(count.by.iter().map(|(_, column, _)| column));
    let sum_names = columns(count.sums.iter().map(|(_, column)| column));
    let totals = columns(count.sums.iter().map(|(_, c)| format!("sum({c})::int8")));
    let added = columns(count.sums.iter().map(|(_, c)| format!("{c} = c.{c} + excluded.{c}")));
    format!(
        "WITH taken AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} \
         WHERE slot <> 0 ORDER BY tenant, key LIMIT 1000 FOR UPDATE SKIP LOCKED)) RETURNING *), \
         folded AS (INSERT INTO {table} AS c (tenant, key, slot{names}, documents{sum_names}) \
         SELECT tenant, key, 0{names}, sum(documents)::int8{totals} FROM taken \
         GROUP BY tenant, key{names} ORDER BY tenant, key ON CONFLICT (tenant, key, slot) \
         DO UPDATE SET documents = c.documents + excluded.documents{added}) \
         SELECT count(*) FROM taken"
    )
}

/// Delete the rows of keys that nothing counts to any more.
pub(in crate::storage) fn prune(count: &Count) -> String {
    let zero = count.sums.iter().fold(String::new(), |mut text, (_, column)| {
        let _ = write!(text, " AND {column} = 0");
        text
    });
    format!("DELETE FROM {} WHERE slot = 0 AND documents = 0{zero}", count.table)
}

/// The key is the JSON of the values counted by: one column to find a row by, NULLs included.
fn table(count: &Count, dialect: Dialect) -> String {
    let table = &count.table;
    let by = count.by.iter().fold(String::new(), |mut text, (_, column, field_type)| {
        let _ = match dialect {
            Dialect::Postgres => {
                let collate = match field_type {
                    FieldType::Text => " COLLATE \"C\"",
                    _ => "",
                };
                write!(text, ", {column} {}{collate}", postgres_type(*field_type))
            }
            Dialect::Sqlite => write!(text, ", {column} {}", sqlite_type(*field_type)),
        };
        text
    });
    let integer = if dialect == Dialect::Postgres { "int8" } else { "INTEGER" };
    let sums = count.sums.iter().fold(String::new(), |mut text, (_, column)| {
        let _ = write!(text, ", {column} {integer} NOT NULL");
        text
    });
    match dialect {
        // A row of a connection is written with every change, so it should stay on its page.
        Dialect::Postgres => format!(
            "CREATE TABLE {table} (tenant int4 NOT NULL, key text COLLATE \"C\" NOT NULL, \
             slot int4 NOT NULL{by}, documents int8 NOT NULL{sums}, transaction xid8, \
             added int8 NOT NULL DEFAULT 0, PRIMARY KEY (tenant, key, slot)) WITH (fillfactor = 50)"
        ),
        Dialect::Sqlite => format!(
            "CREATE TABLE {table} (tenant INTEGER NOT NULL, key TEXT NOT NULL{by}, \
             documents INTEGER NOT NULL{sums}, PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID"
        ),
    }
}

/// The columns of values counted by, each with a comma before it.
fn columns(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    names.fold(String::new(), |mut text, name| {
        let _ = write!(text, ", {name}");
        text
    })
}

/// The JSON of a row's values; `row` is a prefix such as `NEW.`.
fn key(part: &CountPart, row: &str, dialect: Dialect) -> String {
    let values: Vec<String> = part.by.iter().map(|column| format!("{row}{column}")).collect();
    let values = values.join(", ");
    match dialect {
        Dialect::Postgres => format!("jsonb_build_array({values})::text"),
        Dialect::Sqlite => format!("json_array({values})"),
    }
}

/// That a row counts; `row` is a prefix such as `NEW.`.
fn counts(part: &CountPart, row: &str, dialect: Dialect) -> String {
    let conditions = part.conditions.iter();
    let conditions: Vec<String> = conditions
        .map(|one_of| one_of.condition(&format!("{row}{}", one_of.column), dialect))
        .collect();
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
}

/// What documents that are there already amount to.
fn fill(count: &Count, part: &CountPart, dialect: Dialect) -> String {
    let names = columns(count.by.iter().map(|(_, column, _)| column));
    let sum_names = columns(count.sums.iter().map(|(_, column)| column));
    let by = columns(part.by.iter());
    let value = |of: &Addend| of.value("", Turn::Comes, dialect);
    let (sums, slot, slot_value, integer) = match dialect {
        Dialect::Postgres => (
            columns(part.sums.iter().map(|of| format!("sum({})::int8", value(of)))),
            ", slot",
            ", 0",
            "::int8",
        ),
        Dialect::Sqlite => {
            (columns(part.sums.iter().map(|of| format!("sum({})", value(of)))), "", "", "")
        }
    };
    let added = columns(count.sums.iter().map(|(_, c)| format!("{c} = c.{c} + excluded.{c}")));
    format!(
        "INSERT INTO {table} AS c (tenant, key{slot}{names}, documents{sum_names}) \
         SELECT tenant, {key}{slot_value}{by}, sum({unit}){integer}{sums} FROM {of} WHERE {counts} \
         GROUP BY tenant{by} ON CONFLICT (tenant, key{slot}) DO UPDATE SET \
         documents = c.documents + excluded.documents{added}",
        table = count.table,
        key = key(part, "", dialect),
        unit = count.unit.value("", dialect),
        of = part.table,
        counts = counts(part, "", dialect),
    )
}

/// One function for each kind of change: what has come and what has gone, added up by key.
fn postgres_triggers(count: &Count, part: &CountPart) -> Vec<String> {
    let table = &part.table;
    let mut statements =
        // Nobody writes between the count of what is there and the first trigger.
        vec![format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")];
    let kinds = [
        ("i", "INSERT", "NEW TABLE AS come", vec![Turn::Comes]),
        ("d", "DELETE", "OLD TABLE AS gone", vec![Turn::Goes]),
        ("u", "UPDATE", "OLD TABLE AS gone NEW TABLE AS come", vec![Turn::Comes, Turn::Yields]),
    ];
    for (suffix, operation, referencing, changes) in kinds {
        let name = format!("{}_{suffix}", part.trigger);
        let body = postgres_body(count, part, &changes);
        statements.push(format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $loggia$ \
             {body} $loggia$"
        ));
        statements.push(format!(
            "CREATE OR REPLACE TRIGGER {name} AFTER {operation} ON {table} \
             REFERENCING {referencing} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        ));
    }
    statements
}

fn postgres_body(count: &Count, part: &CountPart, changes: &[Turn]) -> String {
    let names = columns(count.by.iter().map(|(_, column, _)| column));
    let sum_names = columns(count.sums.iter().map(|(_, column)| column));
    let arms: Vec<String> = changes
        .iter()
        .map(|&turn| {
            let (rows, sign) = if turn == Turn::Comes { ("come", 1) } else { ("gone", -1) };
            let by = columns(
                part.by.iter().zip(&count.by).map(|(c, (_, name, _))| format!("{c} AS {name}")),
            );
            let value = |of: &Addend| of.value("", turn, Dialect::Postgres);
            let named = part.sums.iter().zip(&count.sums);
            let sums =
                columns(named.map(|(of, (_, name))| format!("{} * ({sign}) AS {name}", value(of))));
            format!(
                "SELECT tenant, {key} AS key{by}, {unit} * ({sign}) AS documents{sums} FROM {rows} \
                 WHERE {counts}",
                unit = count.unit.value("", Dialect::Postgres),
                key = key(part, "", Dialect::Postgres),
                counts = counts(part, "", Dialect::Postgres),
            )
        })
        .collect();
    let totals = columns(count.sums.iter().map(|(_, c)| format!("sum({c})::int8")));
    let nonzero = count.sums.iter().fold(String::new(), |mut text, (_, column)| {
        let _ = write!(text, " OR sum({column}) <> 0");
        text
    });
    let added = columns(count.sums.iter().map(|(_, c)| format!("{c} = c.{c} + excluded.{c}")));
    let limited = count.limit.is_some();
    let (track, tracked, tracks) = if limited {
        (
            ", transaction, added",
            ", pg_current_xact_id(), sum(documents)::int8",
            ", added = excluded.added + CASE WHEN c.transaction = excluded.transaction \
             THEN c.added ELSE 0 END, transaction = excluded.transaction",
        )
    } else {
        ("", "", "")
    };
    let insert = format!(
        "INSERT INTO {table} AS c (tenant, key, slot{names}, documents{sum_names}{track}) \
         SELECT tenant, key, pg_backend_pid(){names}, sum(documents)::int8{totals}{tracked} \
         FROM ({arms}) AS z GROUP BY tenant, key{names} \
         HAVING sum(documents) <> 0{nonzero} ORDER BY tenant, key \
         ON CONFLICT (tenant, key, slot) DO UPDATE \
         SET documents = c.documents + excluded.documents{added}{tracks}",
        table = count.table,
        arms = arms.join(" UNION ALL "),
    );
    match &count.limit {
        Some(setting) if changes.contains(&Turn::Comes) => postgres_limit(count, setting, &insert),
        _ => format!("BEGIN {insert}; RETURN NULL; END"),
    }
}

/// Far from the limit, writers share a lock, and what each of them may not see of the others is
/// bounded: a share for each connection of the server, of at most [`Unit::shared_additions`], and so
/// small that only the last tenth of what is allowed is near. Near it they take turns
/// until their commits, and each then sees all that the others have done. One that has shared and finds
/// itself near runs again: to wait for the lock while it is held by all is to wait for ever.
fn postgres_limit(count: &Count, setting: &str, insert: &str) -> String {
    let total = format!(
        "SELECT sum(documents) INTO total FROM {} WHERE tenant = r.tenant AND key = r.key",
        count.table
    );
    let expired = expired_total(count);
    format!(
        "DECLARE r record; allowed int8; total int8; expired int8; gate int8; margin int8; \
           connections int8; share int8; \
         BEGIN \
         FOR r IN {insert} RETURNING c.tenant, c.key, c.added LOOP \
           CONTINUE WHEN r.added <= 0; \
           SELECT value INTO allowed FROM loggia_limit \
             WHERE plugin = '{plugin}' AND setting = '{setting}' AND tenant IN (r.tenant, 0) \
             ORDER BY tenant DESC LIMIT 1; \
           CONTINUE WHEN coalesce(allowed, 0) <= 0; \
           gate := hashtextextended('{table} ' || r.tenant || ' ' || r.key, 0); \
           connections := current_setting('max_connections')::int8; \
           share := greatest(1, least({shared}, allowed / (10 * connections))); \
           margin := share * connections; \
           {total}; \
           IF r.added <= share AND allowed - total > margin THEN \
             PERFORM pg_advisory_xact_lock_shared(gate); \
             {total}; \
             CONTINUE WHEN allowed - total > margin; \
             RAISE EXCEPTION 'the limit came near' USING ERRCODE = 'serialization_failure'; \
           END IF; \
           PERFORM pg_advisory_xact_lock(gate); \
           {total}; \
           CONTINUE WHEN total <= allowed; \
           {expired} \
           IF total > allowed THEN \
             RAISE EXCEPTION '{setting}' USING ERRCODE = 'LG001'; \
           END IF; \
         END LOOP; \
         RETURN NULL; END",
        shared = count.unit.shared_additions(),
        plugin = count.plugin,
        table = count.table,
    )
}

/// What has expired and was not swept yet does not count.
fn expired_total(count: &Count) -> String {
    let expiring = count.parts.iter().filter(|part| part.expires);
    expiring.fold(String::new(), |mut text, part| {
        let _ = write!(
            text,
            "SELECT coalesce(sum({unit}), 0) INTO expired FROM {table} WHERE tenant = r.tenant \
             AND expires_at <= {now} AND {counts} \
             AND {key} = r.key; total := total - expired; ",
            unit = count.unit.value("", Dialect::Postgres),
            now = clock(Dialect::Postgres),
            table = part.table,
            counts = counts(part, "", Dialect::Postgres),
            key = key(part, "", Dialect::Postgres),
        );
        text
    })
}

fn sqlite_triggers(count: &Count, part: &CountPart) -> Vec<String> {
    let (name, table) = (&part.trigger, &part.table);
    let new_counts = counts(part, "NEW.", Dialect::Sqlite);
    let old_counts = counts(part, "OLD.", Dialect::Sqlite);
    let watched: Vec<&str> = part
        .by
        .iter()
        .map(String::as_str)
        .chain(part.sums.iter().filter_map(Addend::column))
        .chain(part.conditions.iter().map(|one_of| one_of.column.as_str()))
        .chain(count.unit.column())
        .collect();
    let come = sqlite_come(count, part);
    let gone = sqlite_gone(count, part, Turn::Goes);
    let replaced = sqlite_gone(count, part, Turn::Yields);
    let mut statements = vec![
        format!(
            "CREATE TRIGGER {name}_i AFTER INSERT ON {table} WHEN {new_counts} BEGIN {come} {limit} END",
            limit = sqlite_limit(count, part, "true"),
        ),
        format!(
            "CREATE TRIGGER {name}_d AFTER DELETE ON {table} WHEN {old_counts} BEGIN {gone} END"
        ),
    ];
    if !watched.is_empty() {
        let differs: Vec<String> =
            watched.iter().map(|column| format!("NEW.{column} IS NOT OLD.{column}")).collect();
        let newly = format!(
            "({new_counts}) AND (NOT ({old_counts}) OR {new} <> {old} OR {more} > {before})",
            more = count.unit.value("NEW.", Dialect::Sqlite),
            before = count.unit.value("OLD.", Dialect::Sqlite),
            new = key(part, "NEW.", Dialect::Sqlite),
            old = key(part, "OLD.", Dialect::Sqlite),
        );
        statements.push(format!(
            "CREATE TRIGGER {name}_u AFTER UPDATE OF {of} ON {table} WHEN {differs} \
             BEGIN {come} {replaced} {limit} END",
            of = watched.join(", "),
            differs = differs.join(" OR "),
            limit = sqlite_limit(count, part, &newly),
        ));
    }
    statements
}

fn sqlite_come(count: &Count, part: &CountPart) -> String {
    let names = columns(count.by.iter().map(|(_, column, _)| column));
    let sum_names = columns(count.sums.iter().map(|(_, column)| column));
    let by = columns(part.by.iter().map(|column| format!("NEW.{column}")));
    let value = |of: &Addend| of.value("NEW.", Turn::Comes, Dialect::Sqlite);
    let sums = columns(part.sums.iter().map(value));
    let added = columns(count.sums.iter().map(|(_, c)| format!("{c} = {c} + excluded.{c}")));
    format!(
        "INSERT INTO {table} (tenant, key{names}, documents{sum_names}) \
         SELECT NEW.tenant, {key}{by}, {unit}{sums} WHERE {counts} ON CONFLICT (tenant, key) \
         DO UPDATE SET documents = documents + excluded.documents{added};",
        unit = count.unit.value("NEW.", Dialect::Sqlite),
        table = count.table,
        key = key(part, "NEW.", Dialect::Sqlite),
        counts = counts(part, "NEW.", Dialect::Sqlite),
    )
}

fn sqlite_gone(count: &Count, part: &CountPart, turn: Turn) -> String {
    let named = count.sums.iter().zip(&part.sums);
    let value = |of: &Addend| of.value("OLD.", turn, Dialect::Sqlite);
    let taken = columns(named.map(|((_, c), of)| format!("{c} = {c} - ({})", value(of))));
    let key = key(part, "OLD.", Dialect::Sqlite);
    let zero = count.sums.iter().fold(String::new(), |mut text, (_, column)| {
        let _ = write!(text, " AND {column} = 0");
        text
    });
    format!(
        "UPDATE {table} SET documents = documents - {unit}{taken} \
         WHERE tenant = OLD.tenant AND key = {key} AND {counts}; \
         DELETE FROM {table} WHERE tenant = OLD.tenant AND key = {key} AND documents = 0{zero};",
        unit = count.unit.value("OLD.", Dialect::Sqlite),
        table = count.table,
        counts = counts(part, "OLD.", Dialect::Sqlite),
    )
}

/// With one writer, the count is exact when it is looked at.
fn sqlite_limit(count: &Count, part: &CountPart, when: &str) -> String {
    let Some(setting) = &count.limit else { return String::new() };
    let key = key(part, "NEW.", Dialect::Sqlite);
    let expired =
        count.parts.iter().filter(|part| part.expires).fold(String::new(), |mut text, of| {
            let _ = write!(
                text,
                " - (SELECT coalesce(sum({unit}), 0) FROM {table} AS d WHERE d.tenant = c.tenant \
             AND d.expires_at <= {now} AND {counts} AND {of_key} = c.key)",
                unit = count.unit.value("d.", Dialect::Sqlite),
                table = of.table,
                now = clock(Dialect::Sqlite),
                counts = counts(of, "d.", Dialect::Sqlite),
                of_key = self::key(of, "d.", Dialect::Sqlite),
            );
            text
        });
    // The second look is the dear one, and only taken by those who come to the limit.
    format!(
        "SELECT RAISE(ABORT, 'loggia-limit {setting}') FROM {table} AS c, \
         (SELECT value FROM loggia_limit WHERE plugin = '{plugin}' AND setting = '{setting}' \
          AND tenant IN (NEW.tenant, 0) ORDER BY tenant DESC LIMIT 1) AS l \
         WHERE {when} AND l.value > 0 AND c.tenant = NEW.tenant AND c.key = {key} \
         AND c.documents > l.value AND c.documents{expired} > l.value;",
        table = count.table,
        plugin = count.plugin,
    )
}
