//! The second wall on `SQLite`: its authorizer, which sees what a statement touches while it is
//! prepared.
//!
//! The first wall is the compiler. Should a text ever say more than it was meant to, it is not
//! prepared here. The gateway's own statements run without a wall.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::super::error::Error;
use super::super::sql::{Query, SqlRows};
use super::super::statement::Wall;
use super::super::statement::functions::SQLITE_FUNCTIONS;
use super::error::classify;
use super::value;

/// The guard of one connection, with the wall around the statement that it runs now.
#[derive(Debug)]
pub(super) struct Guard(Arc<Mutex<Option<Arc<Wall>>>>);

impl Guard {
    /// Watch a connection from now on.
    pub(super) fn watch(connection: &mut Connection) -> Result<Self, Error> {
        let current: Arc<Mutex<Option<Arc<Wall>>>> = Arc::default();
        let watched = Arc::clone(&current);
        let authorize = move |context: AuthContext<'_>| {
            let wall = watched.lock().unwrap_or_else(PoisonError::into_inner);
            match wall.as_deref() {
                Some(wall) if !allows(wall, &context) => {
                    tracing::error!(action = ?context.action, "a statement was kept by the wall");
                    Authorization::Deny
                }
                _ => Authorization::Allow,
            }
        };
        connection.authorizer(Some(authorize)).map_err(|error| classify(&error))?;
        Ok(Self(current))
    }

    /// Run a statement of a plugin. It is prepared under a text of its own: one that the gateway
    /// has prepared for itself was not looked at.
    pub(super) fn run(
        &self,
        connection: &Connection,
        query: &Query,
        wall: Arc<Wall>,
    ) -> rusqlite::Result<SqlRows> {
        // A statement is looked at again when it has to be prepared again, in the midst of a run.
        self.set(Some(wall));
        let sql = format!("/* of a plugin */ {}", query.sql);
        let rows = value::run(connection, &sql, &query.binds);
        self.set(None);
        rows
    }

    fn set(&self, wall: Option<Arc<Wall>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wall;
    }
}

/// What is not on this list is denied: other tables, PRAGMA, ATTACH, DDL, transactions.
fn allows(wall: &Wall, context: &AuthContext<'_>) -> bool {
    // A trigger is the gateway's own, whatever it does, as long as something is changed at all.
    if context.accessor.is_some_and(|accessor| wall.triggers(accessor)) {
        return true;
    }
    match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, column_name } => {
            table_name == "json_each"
                || wall.reads(table_name)
                || wall.reads_of_words(table_name)
                || (column_name.is_empty() && is_common(table_name))
        }
        AuthAction::Function { function_name } => SQLITE_FUNCTIONS.contains(&function_name),
        AuthAction::Update { table_name, .. } | AuthAction::Delete { table_name } => {
            wall.writes(table_name) || wall.writes_of_words(table_name)
        }
        AuthAction::Insert { table_name } => wall.writes_of_words(table_name),
        // FTS5 asks it whether another connection has written.
        AuthAction::Pragma { pragma_name: "data_version", pragma_value: None } => true,
        _ => false,
    }
}

/// A query of the WITH clause, as the renderer names it: `c0`, `c1`. No table has such a name.
fn is_common(name: &str) -> bool {
    name.strip_prefix('c').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::super::functions;
    use super::*;

    fn connection() -> (Connection, Guard) {
        let mut connection = Connection::open_in_memory().expect("it opens");
        functions::register(&connection).expect("they register");
        connection
            .execute_batch(
                "CREATE TABLE p__own (rid INTEGER PRIMARY KEY, tenant, id, x);
                 CREATE TABLE p__other (rid INTEGER PRIMARY KEY, tenant, id);
                 CREATE TABLE q__foreign (rid INTEGER PRIMARY KEY, tenant, id);
                 CREATE TABLE loggia_secret (name, value);
                 CREATE TABLE p____count (tenant, n);
                 CREATE TRIGGER p__own__kept AFTER UPDATE ON p__own BEGIN
                     UPDATE p____count SET n = n + 1 WHERE tenant = new.tenant;
                 END;
                 INSERT INTO p__own (tenant, id, x) VALUES (1, 'a', '[1]');
                 INSERT INTO p____count VALUES (1, 0);",
            )
            .expect("the tables are made");
        let guard = Guard::watch(&mut connection).expect("it watches");
        (connection, guard)
    }

    fn wall(writes: bool) -> Arc<Wall> {
        let mut wall = Wall { reads: vec!["p__own".to_owned()], writes: None };
        wall.writes = writes.then(|| "p__own".to_owned());
        Arc::new(wall)
    }

    fn query(sql: &str) -> Query {
        Query { sql: sql.into(), binds: Vec::new() }
    }

    #[test]
    fn a_text_that_escapes_is_not_prepared() {
        let (connection, guard) = connection();
        for sql in [
            "SELECT id FROM q__foreign",
            "SELECT id FROM p__other",
            "SELECT count(*) FROM q__foreign",
            "SELECT 1 FROM q__foreign",
            "SELECT value FROM loggia_secret",
            "SELECT id FROM p__own WHERE EXISTS (SELECT 1 FROM q__foreign)",
            "SELECT id FROM p__own UNION ALL SELECT value FROM loggia_secret",
            "SELECT name FROM sqlite_master",
            "SELECT name FROM main.sqlite_schema",
            "SELECT name FROM pragma_table_info('p__own')",
            "SELECT load_extension('x')",
            "SELECT randomblob(10)",
            "SELECT sqlite_version()",
            "SELECT hex(x) FROM p__own",
            "SELECT value FROM json_tree('[1]')",
            "SELECT value FROM generate_series(1, 2)",
            "INSERT INTO p__own (id) VALUES ('b')",
            "UPDATE p__own SET x = 1",
            "DELETE FROM p__own",
            "UPDATE q__foreign SET id = 'b'",
            "CREATE TABLE t (x)",
            "CREATE TEMP TABLE t (x)",
            "DROP TABLE p__own",
            "ALTER TABLE p__own ADD COLUMN y",
            "CREATE INDEX i ON p__own (id)",
            "PRAGMA table_info(p__own)",
            "PRAGMA query_only = OFF",
            "ATTACH '/tmp/x.db' AS x",
            "DETACH main",
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT s",
            "VACUUM",
            "ANALYZE",
            "EXPLAIN SELECT value FROM loggia_secret",
            "WITH c0 AS (SELECT value FROM loggia_secret) SELECT count(*) FROM c0",
        ] {
            let refused = guard.run(&connection, &query(sql), wall(false));
            assert!(refused.is_err(), "{sql} ran");
            let text = refused.map(drop).expect_err("it is refused").to_string();
            let known = ["not authorized", "prohibited", "no such", "authoriz"];
            assert!(known.iter().any(|known| text.contains(known)), "{sql}: {text}");
        }
        let writing = [
            "UPDATE p__other SET id = 'b'",
            "DELETE FROM p____count",
            "UPDATE p____count SET n = 7",
            "UPDATE p__own SET x = (SELECT value FROM loggia_secret)",
            "DELETE FROM p__own WHERE id IN (SELECT id FROM q__foreign)",
            "INSERT INTO p__own (id) VALUES ('b')",
        ];
        for sql in writing {
            assert!(guard.run(&connection, &query(sql), wall(true)).is_err(), "{sql} ran");
        }
    }

    #[test]
    fn what_statements_are_made_of_runs() {
        let (connection, guard) = connection();
        for sql in [
            "SELECT \"t0\".\"id\" FROM (SELECT \"d\".\"id\" AS \"id\" FROM \"p__own\" AS \"d\") AS \"t0\"",
            "SELECT count(*) FROM p__own",
            "SELECT count(*) FROM (SELECT 1 AS \"#\" FROM p__own) AS t0",
            "SELECT value FROM json_each('[1]')",
            "WITH RECURSIVE c0 (n) AS (SELECT 1 UNION SELECT n FROM c0) SELECT count(*) FROM c0",
            "SELECT loggia_add(1, 2), coalesce(max(x), '') FROM p__own",
        ] {
            guard.run(&connection, &query(sql), wall(false)).expect(sql);
        }
        let update = query("UPDATE p__own AS t0 SET x = 2 WHERE rid IN (SELECT rid FROM p__own)");
        guard.run(&connection, &update, wall(true)).expect("it may write");
        let kept = value::run(&connection, "SELECT n FROM p____count", &[]);
        assert_eq!(kept.expect("it runs").first_integer(), Some(1), "the trigger ran");
    }

    #[test]
    fn what_the_gateway_has_prepared_is_looked_at_again() {
        let (connection, guard) = connection();
        let secret = query("SELECT value FROM loggia_secret");
        value::run(&connection, &secret.sql, &[]).expect("the gateway may");
        assert!(guard.run(&connection, &secret, wall(false)).is_err());
        value::run(&connection, &secret.sql, &[]).expect("the gateway still may");
        guard.run(&connection, &query("SELECT id FROM p__own"), wall(false)).expect("it may");
        let nothing = Arc::new(Wall::default());
        // Prepared under another wall; the texts of one wall are the same.
        connection.flush_prepared_statement_cache();
        assert!(guard.run(&connection, &query("SELECT id FROM p__own"), nothing).is_err());
    }
}
