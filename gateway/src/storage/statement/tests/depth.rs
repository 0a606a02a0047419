//! Long and deep statements: refused or not, the check ends soon and its stack is enough.

use super::super::Dialect;
use super::{render_all, select};

/// About the most repetitions that the limit on tokens lets through.
const MANY: usize = 1_900;

fn around(before: &str, inner: &str, after: &str, depth: usize) -> String {
    format!("{}{inner}{}", before.repeat(depth), after.repeat(depth))
}

/// A test runs in a thread with a stack of 2 MiB, as much as the gateway's threads have.
fn check_ends(sql: &str) {
    if let Ok(statement) = select(sql) {
        assert!(!render_all(&statement, Dialect::Postgres).sql.is_empty());
    }
}

#[test]
fn long_chains_end() {
    for sql in [
        format!("SELECT id FROM session WHERE size = 1{}", " OR size = 1".repeat(MANY / 2)),
        format!("SELECT 1{} AS x FROM session", "+1".repeat(MANY)),
        format!("SELECT {}1 AS x FROM session", "- ".repeat(MANY)),
        format!("SELECT id FROM session WHERE {}true", "NOT ".repeat(MANY)),
        format!("SELECT id{} AS x FROM session", "||id".repeat(MANY)),
        format!("SELECT id FROM session WHERE 1{}", "=1".repeat(MANY)),
        format!("SELECT id FROM session WHERE id{}", " IS NULL".repeat(MANY)),
        format!("SELECT id FROM session WHERE 1{}", " BETWEEN 1 AND 1".repeat(MANY / 2)),
        format!("SELECT id FROM session WHERE id IN ('a'{})", ",'a'".repeat(MANY)),
        format!("SELECT id FROM session WHERE (1{0}) = (1{0})", ",1".repeat(MANY / 2)),
        format!("SELECT id FROM session{}", " UNION SELECT id FROM session".repeat(MANY / 3)),
        format!("SELECT s.id FROM session s{}", " JOIN event e ON true".repeat(MANY / 3)),
        format!("SELECT CASE{} END AS x FROM session", " WHEN true THEN 1".repeat(MANY / 2)),
        format!("SELECT id FROM session WHERE {}", "a ".repeat(30_000)),
        format!("SELECT '{}' AS x FROM session", "'".repeat(60_000)),
    ] {
        check_ends(&sql);
    }
}

#[test]
fn deep_nests_end() {
    for depth in [10, 39, MANY] {
        for sql in [
            format!("SELECT {} AS x FROM session", around("(", "1", ")", depth)),
            format!("SELECT {} AS x FROM session", around("lower(", "id", ")", depth)),
            format!("SELECT {} AS x FROM session", around("coalesce(id, ", "id", ")", depth)),
            format!(
                "SELECT {} AS x FROM session",
                around("CASE WHEN ", "true", " THEN true END", depth)
            ),
            format!("SELECT {} AS x", around("(SELECT max(size) + ", "1", " FROM session)", depth)),
            format!("SELECT id FROM {}", around("(SELECT id FROM ", "session", ") AS x", depth)),
        ] {
            check_ends(&sql);
        }
    }
}

/// The parser tries some of these words as a special form and then as a name, at each level.
#[test]
fn nests_that_do_not_close_end() {
    let openings = [
        "(",
        "case ",
        "case(",
        "case-",
        "not(",
        "exists(",
        "exists(select ",
        "cast(",
        "date(",
        "f(a,",
        "ceil(",
        "1=any(",
        "1 in (",
        "1 in (select ",
        "current_time(",
        "if(current_time(",
        "f() over (partition by ",
        "f() filter (where ",
        "timestamp ",
        "with x as (",
    ];
    for opening in openings {
        for depth in [20, 39, MANY] {
            check_ends(&format!("SELECT {}", opening.repeat(depth)));
            check_ends(&format!("SELECT id FROM {}", opening.repeat(depth)));
            check_ends(&opening.repeat(depth));
        }
    }
}
