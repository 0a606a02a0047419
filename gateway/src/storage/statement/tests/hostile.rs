//! What must be refused, with a part of the reason.

use serde_json::json;

use super::super::Fault;
use super::{select, try_compile};

/// Statements that try to get out, and others that are not on the list.
const REFUSED: &[(&str, &str)] = &[
    // More than one statement, and other kinds of them.
    ("SELECT id FROM session; SELECT id FROM event", "semicolon"),
    ("SELECT id FROM session;", "semicolon"),
    ("DELETE FROM session", "only SELECT"),
    ("INSERT INTO session VALUES (1)", "only SELECT is allowed"),
    ("UPDATE session SET id = 'x'", "only SELECT is allowed"),
    ("DROP TABLE session", "a query begins with SELECT"),
    ("PRAGMA table_list", "a query begins with SELECT"),
    ("ATTACH DATABASE 'x' AS y", "a query begins with SELECT"),
    ("COPY session TO '/tmp/x'", "a query begins with SELECT"),
    ("SET ROLE postgres", "a query begins with SELECT"),
    ("EXPLAIN SELECT id FROM session", "a query begins with SELECT"),
    ("VALUES (1)", "only SELECT is allowed"),
    ("TABLE session", "only SELECT is allowed"),
    ("WITH x AS (DELETE FROM session RETURNING id) SELECT id FROM x", "only SELECT is allowed"),
    (
        "WITH x AS (INSERT INTO session VALUES (1) RETURNING id) SELECT id FROM x",
        "only SELECT is allowed",
    ),
    ("", "a query begins with SELECT"),
    // Comments hide text from the reader.
    ("SELECT id FROM session -- WHERE", "comments"),
    ("SELECT id /* ; */ FROM session", "comments"),
    ("SELECT id /*! FROM event */ FROM session", "comments are not allowed"),
    ("SELECT id FROM session # x", "# is not allowed"),
    // Tables that are not the plugin's.
    ("SELECT id FROM pg_catalog.pg_class", "a collection's name has one part"),
    ("SELECT relname AS x FROM pg_class", "pg_class is not a collection of this plugin"),
    ("SELECT name FROM sqlite_master", "sqlite_master is not a collection of this plugin"),
    ("SELECT name FROM sqlite_schema", "sqlite_schema is not a collection of this plugin"),
    ("SELECT table_name AS x FROM information_schema.tables", "a collection's name has one part"),
    ("SELECT id FROM test__session", "not a collection"),
    ("SELECT id FROM public.session", "one part"),
    ("SELECT id FROM main.session", "one part"),
    ("SELECT id FROM \"test__session\"", "not a collection"),
    ("SELECT id FROM \"session\"\" WHERE 1=1 --\"", "not a name"),
    ("SELECT id FROM Session", "not a collection"),
    ("SELECT id FROM [session]", "[ is not allowed"),
    ("SELECT id FROM `session`", "names are quoted with double quotes"),
    ("SELECT id FROM 'session'", "names are quoted with double quotes"),
    ("SELECT id FROM ONLY session", "ONLY is not a collection of this plugin"),
    ("SELECT t0.id FROM session", "no column t0.id"),
    // Functions that give rows.
    (
        "SELECT x FROM generate_series(1, 10) AS x",
        "FROM takes collections of this plugin and queries only",
    ),
    (
        "SELECT value FROM json_each('[1]')",
        "FROM takes collections of this plugin and queries only",
    ),
    (
        "SELECT id FROM pragma_table_info('session')",
        "FROM takes collections of this plugin and queries only",
    ),
    ("SELECT x FROM TABLE(f(1)) AS x", "FROM takes collections of this plugin and queries only"),
    ("SELECT x FROM unnest(:a) AS x", "unnest is not allowed (a name needs double quotes)"),
    (
        "SELECT x.id FROM session s, LATERAL (SELECT s.id) x",
        "LATERAL is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT x.id FROM session s JOIN LATERAL (SELECT s.id AS id) x ON true",
        "LATERAL is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT id FROM session TABLESAMPLE SYSTEM (10)",
        "FROM takes collections of this plugin and queries only",
    ),
    (
        "SELECT id FROM session FOR SYSTEM_TIME AS OF '2020-01-01'",
        "expected: one of UPDATE or SHARE, found: SYSTEM_TIME",
    ),
    ("SELECT id FROM session INDEXED BY x", "unexpected BY"),
    ("SELECT id FROM (VALUES (1)) AS v (id)", "a list of columns is not allowed here"),
    // Functions that are not on the list.
    ("SELECT pg_sleep(10) AS x FROM session", "no function pg_sleep"),
    ("SELECT load_extension('x') AS x FROM session", "no function load_extension"),
    ("SELECT readfile('/etc/passwd') AS x FROM session", "no function readfile"),
    ("SELECT pg_read_file('/etc/passwd') AS x FROM session", "no function"),
    ("SELECT current_setting('x') AS x FROM session", "no function"),
    ("SELECT set_config('x', 'y', true) AS x FROM session", "no function"),
    ("SELECT random() AS x FROM session", "no function"),
    ("SELECT nextval('loggia_version') AS x FROM session", "no function"),
    ("SELECT loggia_version() AS x FROM session", "no function"),
    ("SELECT pg_catalog.lower(id) AS x FROM session", "one part"),
    ("SELECT \"lower\"(id) AS x FROM session", "not allowed in this form"),
    ("SELECT current_user AS x FROM session", "no column current_user here"),
    ("SELECT current_timestamp AS x FROM session", "current_timestamp is not allowed in this form"),
    ("SELECT current_user() AS x FROM session", "there is no function current_user"),
    ("SELECT version() AS x FROM session", "there is no function version"),
    (
        "SELECT substring(id FROM 1 FOR 2) AS x FROM session",
        "substring is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT substr(id, 1) AS x FROM session",
        "substr is not allowed (a name needs double quotes)",
    ),
    ("SELECT trim(id) AS x FROM session", "trim is not allowed (a name needs double quotes)"),
    (
        "SELECT extract(year FROM updated) AS x FROM session",
        "extract is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT position('a' IN id) AS x FROM session",
        "position is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT overlay(id PLACING 'a' FROM 1) AS x FROM session",
        "overlay is not allowed (a name needs double quotes)",
    ),
    ("SELECT {fn lower(id)} AS x FROM session", "{ is not allowed"),
    ("SELECT group_concat(id) AS x FROM session", "there is no function group_concat"),
    ("SELECT ceil(updated TO day) AS x FROM session", "ceil and floor take one number"),
    // Columns that are not the plugin's.
    ("SELECT tenant FROM session", "no column tenant"),
    ("SELECT rid FROM session", "no column rid"),
    ("SELECT rowid FROM session", "no column rowid"),
    ("SELECT ctid FROM session", "no column ctid"),
    ("SELECT xmin FROM session", "no column xmin"),
    ("SELECT body FROM session", "no column body"),
    ("SELECT f__state FROM session", "no column f__state"),
    ("SELECT version FROM session", "no column version"),
    ("SELECT session FROM session", "no column session"),
    ("SELECT s FROM session s", "no column s"),
    ("SELECT (s).tenant AS x FROM session s", "this expression is not allowed"),
    ("SELECT s.d.tenant AS x FROM session s", "two parts"),
    ("SELECT * FROM session", "* is not allowed"),
    ("SELECT s.* FROM session s", "* is not allowed"),
    ("SELECT ID FROM session", "no column ID"),
    ("SELECT count(session.*) AS n FROM session", "arguments are values without names"),
    // Strings and names in other forms.
    ("SELECT $$x$$ AS x FROM session", "$$x$$ is not allowed"),
    ("SELECT $a$x$a$ AS x FROM session", "$a$x$a$ is not allowed"),
    ("SELECT E'\\'' AS x FROM session", "unterminated string literal"),
    ("SELECT U&'\\0041' AS x FROM session", "& is not allowed"),
    ("SELECT U&\"\\0041\" AS x FROM session", "& is not allowed"),
    ("SELECT N'x' AS x FROM session", "N'x' is not allowed"),
    ("SELECT X'00' AS x FROM session", "X'00' is not allowed"),
    ("SELECT B'0' AS x FROM session", "unexpected AS"),
    ("SELECT q'(x)' AS x FROM session", "unexpected AS"),
    ("SELECT _utf8'x' AS x FROM session", "this expression is not allowed"),
    ("SELECT 'a\0b' AS x FROM session", "NUL"),
    ("SELECT id AS 'x' FROM session", "names are quoted with double quotes"),
    ("SELECT id AS \"a\"\"b\" FROM session", "not a name"),
    ("SELECT id AS \"a b\" FROM session", "not a name"),
    ("SELECT id AS \"\" FROM session", "not a name"),
    ("SELECT size AS \"TRUE\" FROM session", "cannot be a name"),
    ("SELECT id AS ü FROM session", "ü is not allowed"),
    ("SELECT \"nope\" AS x FROM session", "no column nope"),
    ("SELECT date '2020-01-01' AS x FROM session", "a typed string is not allowed"),
    ("SELECT timestamp '2020-01-01' AS x FROM session", "a typed string is not allowed"),
    (
        "SELECT interval '1 day' AS x FROM session",
        "interval is not allowed (a name needs double quotes)",
    ),
    ("SELECT 0x10 AS x FROM session", "X'10' is not allowed"),
    ("SELECT 99999999999999999999 AS x FROM session", "64 bits"),
    ("SELECT 1e999 AS x FROM session", "not allowed"),
    ("SELECT id FROM session WHERE id = $1", "$1 is not a parameter; write :name"),
    ("SELECT id FROM session WHERE id = ?", "? is not a parameter; write :name"),
    ("SELECT id FROM session WHERE id = ?1", "?1 is not a parameter; write :name"),
    ("SELECT id FROM session WHERE id = @x", "@ is not allowed"),
    ("SELECT id FROM session WHERE id = : x", "a parameter needs a name right after its colon"),
    ("SELECT id FROM session WHERE id = :\"x\"", "a parameter needs a name right after its colon"),
    ("SELECT id FROM session WHERE id = :", "a parameter needs a name"),
    // Clauses that are not on the list.
    ("SELECT id FROM session FOR UPDATE", "no locks"),
    ("SELECT id FROM session FOR SHARE", "no locks"),
    ("SELECT id INTO x FROM session", "INTO"),
    ("SELECT id FROM session LIMIT 1", "LIMIT"),
    ("SELECT id FROM session OFFSET 1", "LIMIT"),
    ("SELECT id FROM session FETCH FIRST ROW ONLY", "only SELECT is allowed"),
    (
        "SELECT TOP 1 id FROM session",
        "only SELECT [DISTINCT] … FROM … WHERE … GROUP BY … HAVING … is allowed",
    ),
    ("SELECT id FROM session ORDER BY id", "ORDER BY belongs"),
    ("SELECT id FROM session, event", "JOIN"),
    ("SELECT s.id FROM session s CROSS JOIN event e", "only JOIN and LEFT JOIN are allowed"),
    ("SELECT s.id FROM session s NATURAL JOIN event e", "a join needs ON and a condition"),
    ("SELECT s.id FROM session s JOIN event e USING (id)", "a join needs ON and a condition"),
    ("SELECT s.id FROM session s FULL JOIN event e ON true", "only JOIN and LEFT JOIN are allowed"),
    (
        "SELECT s.id FROM session s RIGHT JOIN event e ON true",
        "only JOIN and LEFT JOIN are allowed",
    ),
    (
        "SELECT s.id FROM (session s JOIN event e ON true)",
        "FROM takes collections of this plugin and queries only",
    ),
    ("SELECT s.id FROM session s JOIN event e", "a join needs ON and a condition"),
    ("SELECT s.id FROM session s JOIN event s ON true", "named twice"),
    ("SELECT id FROM session EXCEPT SELECT id FROM event", "EXCEPT"),
    ("SELECT id FROM session INTERSECT SELECT id FROM event", "INTERSECT"),
    ("SELECT id FROM session UNION (SELECT id FROM event)", "parentheses"),
    ("(SELECT id FROM session)", "a query in parentheses is not allowed here"),
    ("SELECT DISTINCT ON (state) id FROM session", "DISTINCT ON is not allowed"),
    (
        "SELECT id FROM session GROUP BY ALL",
        "only SELECT [DISTINCT] … FROM … WHERE … GROUP BY … HAVING … is allowed",
    ),
    ("SELECT state FROM session GROUP BY ROLLUP (state)", "there is no function rollup"),
    (
        "SELECT state FROM session GROUP BY GROUPING SETS ((state))",
        "GROUPING is not allowed (a name needs double quotes)",
    ),
    ("SELECT state FROM session GROUP BY 1", "GROUP BY needs columns"),
    ("SELECT state FROM session GROUP BY :x", "GROUP BY needs columns"),
    (
        "SELECT id FROM session QUALIFY true",
        "only SELECT [DISTINCT] … FROM … WHERE … GROUP BY … HAVING … is allowed",
    ),
    (
        "SELECT id FROM session WINDOW w AS (ORDER BY id)",
        "only SELECT [DISTINCT] … FROM … WHERE … GROUP BY … HAVING … is allowed",
    ),
    (
        "SELECT id FROM session LATERAL VIEW explode(tags) x",
        "LATERAL is not allowed (a name needs double quotes)",
    ),
    ("SELECT id FROM session SETTINGS x = 1", "unexpected SETTINGS"),
    ("SELECT id FROM session FORMAT JSON", "unexpected FORMAT"),
    ("FROM session SELECT id", "a query begins with SELECT"),
    ("FROM session", "a query begins with SELECT"),
    ("SELECT id FROM session |> WHERE true", "| is not allowed"),
    (
        "WITH x AS MATERIALIZED (SELECT id FROM session) SELECT id FROM x",
        "expected: (, found: MATERIALIZED",
    ),
    ("WITH session AS (SELECT id FROM event) SELECT id FROM session", "taken"),
    ("WITH x AS (SELECT id FROM event), x AS (SELECT id FROM event) SELECT id FROM x", "taken"),
    ("WITH x AS (WITH y AS (SELECT id FROM event) SELECT id FROM y) SELECT id FROM x", "beginning"),
    ("WITH x (a, b) AS (SELECT id FROM event) SELECT a FROM x", "differs in length"),
    (
        "WITH x AS (SELECT id FROM y), y AS (SELECT id FROM event) SELECT id FROM x",
        "not a collection",
    ),
    // Expressions that are not on the list.
    ("SELECT id::int AS x FROM session", "casts"),
    ("SELECT CAST(id AS integer) AS x FROM session", "this is text"),
    ("SELECT CAST(id AS regclass) AS x FROM session", "no type regclass"),
    ("SELECT CAST(:x AS regclass) AS x FROM session", "no type regclass"),
    ("SELECT CAST(:x AS text) AS x, :x + 1 AS y FROM session", "+ is not defined for text"),
    (
        "SELECT TRY_CAST(id AS text) AS x FROM session",
        "TRY_CAST is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT CONVERT(id, text) AS x FROM session",
        "CONVERT is not allowed (a name needs double quotes)",
    ),
    (
        "SELECT id COLLATE \"C\" AS x FROM session",
        "COLLATE is not allowed (a name needs double quotes)",
    ),
    ("SELECT id FROM session WHERE id LIKE 's%'", "LIKE"),
    ("SELECT id FROM session WHERE id ILIKE 's%'", "LIKE"),
    (
        "SELECT id FROM session WHERE id SIMILAR TO 's%'",
        "LIKE (see starts_with and contains_text) is not allowed",
    ),
    ("SELECT id FROM session WHERE id ~ 's'", "~ is not allowed"),
    ("SELECT id FROM session WHERE id GLOB 's'", "unexpected 's'"),
    (
        "SELECT id FROM session WHERE id REGEXP 's'",
        "LIKE (see starts_with and contains_text) is not allowed",
    ),
    ("SELECT id FROM session WHERE id MATCH 's'", "unexpected 's'"),
    ("SELECT id FROM session WHERE id IS TRUE", "IS TRUE or IS FALSE is not allowed"),
    ("SELECT id FROM session WHERE id IS DISTINCT FROM 's'", "IS DISTINCT FROM is not allowed"),
    ("SELECT id FROM session WHERE id == 's'", "== is not allowed"),
    ("SELECT id FROM session WHERE id ! 's'", "! is not allowed"),
    ("SELECT id FROM session WHERE id = ALL(:x)", "ALL"),
    ("SELECT id FROM session WHERE id <> ANY(:x)", "ANY"),
    ("SELECT id FROM session WHERE id = SOME(:x)", "ANY with this operator is not allowed"),
    (
        "SELECT id FROM session WHERE id = ANY(SELECT id FROM event)",
        "a subquery that gives a value needs an aggregate without GROUP BY, or ORDER BY … LIMIT 1",
    ),
    ("SELECT tags[1] AS x FROM session", "[ is not allowed"),
    ("SELECT meta->'k' AS x FROM session", "-> is not allowed"),
    ("SELECT meta->>'k' AS x FROM session", "->> is not allowed"),
    ("SELECT meta:k AS x FROM session", "unexpected :k"),
    ("SELECT meta.k AS x FROM session", "no column meta.k"),
    ("SELECT ARRAY[1] AS x FROM session", "ARRAY is not allowed (a name needs double quotes)"),
    ("SELECT size & 1 AS x FROM session", "& is not allowed"),
    ("SELECT size ^ 2 AS x FROM session", "^ is not allowed"),
    ("SELECT +size AS x FROM session", "the operator + is not allowed"),
    ("SELECT ~size AS x FROM session", "~ is not allowed"),
    ("SELECT (id, state) AS x FROM session", "a row outside a comparison of rows is not allowed"),
    (
        "SELECT id FROM session WHERE (id, state) IN (('a', 'b'))",
        "a row outside a comparison of rows is not allowed",
    ),
    (
        "SELECT id FROM session WHERE (id, state) = ('a')",
        "a row outside a comparison of rows is not allowed",
    ),
    ("SELECT id FROM session WHERE (id, state) = ('a', 'b', 'c')", "differ in length"),
    ("SELECT ROW(id, state) AS x FROM session", "there is no function row"),
    ("SELECT lower(id, state) AS x FROM session", "takes 1"),
    ("SELECT lower(string => id) AS x FROM session", "=> is not allowed"),
    ("SELECT lower(DISTINCT id) AS x FROM session", "lower takes values only"),
    ("SELECT lower(*) AS x FROM session", "lower takes values only"),
    ("SELECT lower(id) FILTER (WHERE true) AS x FROM session", "lower takes values only"),
    ("SELECT lower(id) OVER () AS x FROM session", "lower takes no OVER"),
    ("SELECT json_extract(meta, id) AS x FROM session", "JSON Pointer in quotes"),
    ("SELECT json_extract(meta, :p) AS x FROM session", "JSON Pointer"),
    ("SELECT json_extract(meta, 'a') AS x FROM session", "JSON Pointer"),
    ("SELECT json_extract(meta, '/-1') AS x FROM session", "JSON Pointer"),
    ("SELECT json_extract(meta, '/a/ 01') AS x FROM session", "JSON Pointer"),
    ("SELECT json_extract(title, '/a') AS x FROM session", "is text"),
    ("SELECT json_extract(meta) AS x FROM session", "JSON Pointer in quotes"),
    ("SELECT json_object(id, 1) AS x FROM session", "names in quotes"),
    ("SELECT json_object('a') AS x FROM session", "names in quotes"),
    ("SELECT json_object('a', 1, 'a', 2) AS x FROM session", "twice"),
    (
        "SELECT json_object('a': 1) AS x FROM session",
        "a parameter needs a name right after its colon",
    ),
    // Types.
    ("SELECT id FROM session WHERE state", "this is text"),
    ("SELECT id FROM session WHERE 'a'", "this is text"),
    ("SELECT id FROM session WHERE 1", "this is integer"),
    ("SELECT id FROM session WHERE state = 1", "this is integer"),
    ("SELECT id FROM session WHERE updated > '2020-01-01'", "timestamp"),
    ("SELECT id FROM session WHERE updated > size", "timestamp"),
    ("SELECT id FROM session WHERE active = 1", "this is integer"),
    ("SELECT id FROM session WHERE meta = :x", "json cannot be compared"),
    ("SELECT id FROM session WHERE tags = :x", "text[] cannot be compared"),
    ("SELECT id FROM session WHERE :a = :b", "type cannot be known"),
    (
        "SELECT :a AS x FROM session",
        "the type cannot be known here; use a column or a literal, or CAST(:name AS type)",
    ),
    (
        "SELECT NULL AS x FROM session",
        "the type cannot be known here; use a column or a literal, or CAST(:name AS type)",
    ),
    ("SELECT id FROM session WHERE id = :a AND size = :a", "this is text"),
    ("SELECT id || size AS x FROM session", "this is integer"),
    ("SELECT score % 2 AS x FROM session", "whole numbers"),
    ("SELECT updated * 2 AS x FROM session", "not defined"),
    (
        "SELECT CASE WHEN size > 1 THEN 'a' ELSE 1 END AS x FROM session",
        "this is integer, where text is needed",
    ),
    (
        "SELECT id FROM session UNION SELECT size FROM session",
        "this is integer, where text is needed",
    ),
    ("SELECT id FROM session UNION SELECT id, state FROM session", "number of columns"),
    ("SELECT meta FROM session UNION SELECT meta FROM session", "json cannot be compared"),
    ("SELECT DISTINCT tags FROM session", "text[] cannot be compared"),
    ("SELECT DISTINCT 1 AS x FROM session", "not constant"),
    ("SELECT id FROM session WHERE id IN (SELECT id, state FROM session)", "one column"),
    ("SELECT id FROM session WHERE size IN (SELECT id FROM session)", "this is integer"),
    // Names.
    ("SELECT size + 1 FROM session", "needs a name"),
    ("SELECT id, state AS id FROM session", "two columns are named"),
    ("SELECT id, state AS ID FROM session", "two columns are named"),
    ("SELECT id FROM session s JOIN event e ON e.session = s.id", "ambiguous"),
    // Groups.
    ("SELECT id, count(*) AS n FROM session", "must be in GROUP BY"),
    ("SELECT id, count(*) AS n FROM session GROUP BY state", "must be in GROUP BY"),
    ("SELECT id FROM session HAVING count(*) > 1", "HAVING needs GROUP BY"),
    ("SELECT state FROM session GROUP BY state HAVING size > 1", "must be in GROUP BY"),
    ("SELECT id FROM session WHERE count(*) > 1", "not allowed here"),
    ("SELECT max(count(*)) AS x FROM session", "not allowed here"),
    ("SELECT meta, count(*) AS n FROM session GROUP BY meta", "json cannot be compared"),
    ("SELECT sum(DISTINCT size) AS x FROM session", "count only"),
    ("SELECT sum(state) AS x FROM session", "not defined for text"),
    ("SELECT max(active) AS x FROM session", "not defined for boolean"),
    ("SELECT json_array_agg(id) AS x FROM session", "ORDER BY"),
    (
        "SELECT max(id ORDER BY id) AS x FROM session",
        "ORDER BY belongs into json_array_agg, and into no other aggregate: without it the order would be chance",
    ),
    ("SELECT DISTINCT count(*) AS n FROM session GROUP BY state", "DISTINCT"),
    (
        "SELECT s.state, (SELECT count(*) FROM event e WHERE e.session = s.id) AS n FROM session s GROUP BY s.state",
        "must be in GROUP BY",
    ),
    ("SELECT (SELECT max(s.size) FROM event e) AS x FROM session s", "its own SELECT"),
    (
        "SELECT count(*) WITHIN GROUP (ORDER BY id) AS x FROM session",
        "count is not allowed in this form",
    ),
    // Subqueries.
    ("SELECT (SELECT id FROM event) AS x FROM session", "LIMIT 1"),
    ("SELECT (SELECT e.id FROM event e ORDER BY e.at LIMIT 2) AS x FROM session", "LIMIT 1"),
    ("SELECT (SELECT e.id FROM event e LIMIT 1) AS x FROM session", "LIMIT 1"),
    ("SELECT (SELECT count(*) FROM event GROUP BY kind) AS x FROM session", "LIMIT 1"),
    ("SELECT (SELECT count(*), 1 FROM event) AS x FROM session", "one column"),
    ("SELECT id FROM session WHERE id IN (SELECT id FROM event LIMIT 1)", "LIMIT"),
    ("SELECT x.id FROM session s JOIN (SELECT s.id FROM event) x ON true", "no column s.id"),
    ("SELECT id FROM (SELECT id FROM session)", "needs a name"),
    ("SELECT x FROM (SELECT id FROM session) AS t (x)", "list of columns"),
    ("SELECT id FROM session WHERE EXISTS (SELECT 1 FROM pg_class)", "not a collection"),
    ("SELECT id FROM session WHERE id IN (SELECT name FROM sqlite_master)", "not a collection"),
    // Recursion.
    (
        "WITH RECURSIVE r AS (SELECT id FROM session UNION SELECT a.id FROM r a JOIN r b ON true) SELECT id FROM r",
        "once only",
    ),
    (
        "WITH RECURSIVE r AS (SELECT id FROM session UNION SELECT e.id FROM event e LEFT JOIN r ON true) SELECT id FROM r",
        "a recursive query is",
    ),
    (
        "WITH RECURSIVE r AS (SELECT id FROM session UNION SELECT id FROM event WHERE id IN (SELECT id FROM r)) SELECT id FROM r",
        "a recursive query is",
    ),
    (
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION SELECT max(n) FROM r) SELECT n FROM r",
        "a recursive query is",
    ),
    (
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION SELECT row_number() OVER (ORDER BY n) FROM r) SELECT n FROM r",
        "a recursive query is",
    ),
    ("WITH r (n) AS (SELECT 1 UNION SELECT n FROM r) SELECT n FROM r", "not a collection"),
    (
        "WITH RECURSIVE r (n) AS (SELECT n FROM r UNION SELECT 1) SELECT n FROM r",
        "r is not a collection of this plugin",
    ),
    // Windows.
    ("SELECT id FROM session WHERE row_number() OVER (ORDER BY id) = 1", "columns of a SELECT"),
    ("SELECT row_number() AS n FROM session", "needs OVER"),
    ("SELECT row_number() OVER () AS n FROM session", "needs ORDER BY"),
    ("SELECT row_number() OVER w AS n FROM session", "write the window after OVER"),
    (
        "SELECT sum(size) OVER (ORDER BY id ROWS 1 PRECEDING) AS n FROM session",
        "only PARTITION BY and ORDER BY are allowed in a window",
    ),
    (
        "SELECT count(*) AS n, rank() OVER (ORDER BY state) AS r FROM session GROUP BY state",
        "window",
    ),
    ("SELECT ntile(2) OVER (ORDER BY id) AS n FROM session", "ntile takes no OVER"),
    ("SELECT lag(id, size) OVER (ORDER BY id) AS n FROM session", "small number"),
    (
        "SELECT first_value(id) IGNORE NULLS OVER (ORDER BY id) AS n FROM session",
        "first_value is not allowed in this form",
    ),
];

#[test]
fn every_statement_of_the_table_is_refused_for_its_reason() {
    let different: std::collections::BTreeSet<&str> = REFUSED.iter().map(|(sql, _)| *sql).collect();
    assert_eq!(different.len(), REFUSED.len(), "each stands there once");
    assert!(REFUSED.len() >= 200, "{} statements", REFUSED.len());
    for (sql, reason) in REFUSED {
        let faults = select(sql).expect_err(sql);
        assert!(faults[0].reason.contains(reason), "{sql}: {faults:?}");
        assert_eq!(faults[0].part, "select");
        assert!(faults[0].line >= 1 && faults[0].column >= 1, "{faults:?}");
    }
}

/// The first fault of a statement with this condition and this order.
fn first_fault(condition: &str, order: &str) -> Option<Fault> {
    let declaration = json!({
        "name": "s", "select": "SELECT id, 1 AS one, size + 1 AS next FROM session",
        "where": [condition], "order": {"x": order},
    });
    try_compile(declaration).err().map(|faults| faults[0].clone())
}

#[test]
fn optional_conditions_are_a_wall_as_well() {
    assert_eq!(first_fault("state = :s", "updated DESC, id ASC"), None);
    for (condition, reason) in [
        ("state = :s; DELETE FROM session", "semicolon"),
        ("true) OR (true", "unexpected )"),
        ("state = :s ORDER BY id", "unexpected ORDER"),
        ("state = :s UNION SELECT 1", "unexpected UNION"),
        ("state = :s --", "comments"),
        ("tenant = 2", "no column tenant"),
        ("next = 1", "no column next"),
        ("count(*) > 1", "not allowed here"),
        ("id IN (SELECT id FROM sqlite_master)", "not a collection"),
        ("state", "this is text"),
        ("state = :s, state = :t", "unexpected ,"),
        ("", "expected: an expression"),
    ] {
        let fault = first_fault(condition, "id").expect(condition);
        assert!(fault.reason.contains(reason), "{condition}: {fault:?}");
        assert_eq!(fault.part, "where 1");
    }
}

#[test]
fn named_orders_are_a_wall_as_well() {
    for (order, reason) in [
        ("id; DELETE FROM session", "semicolon"),
        ("id) FROM session --", "comments"),
        ("tenant", "no column tenant"),
        ("1", "names of columns only"),
        ("size + 1", "names of columns only"),
        (":x", "names of columns only"),
        ("lower(id)", "names of columns only"),
        ("(SELECT 1)", "names of columns only"),
        ("one", "the same in each row"),
        ("meta", "json cannot be compared"),
        ("tags DESC", "text[] cannot be compared"),
        ("id NULLS FIRST", "unexpected NULLS"),
        ("id COLLATE nocase", "COLLATE is not allowed"),
        ("id DESC LIMIT 1", "unexpected LIMIT"),
        ("id,", "expected: an expression"),
        ("", "expected: an expression"),
    ] {
        let fault = first_fault("true", order).expect(order);
        assert!(fault.reason.contains(reason), "{order}: {fault:?}");
        assert_eq!(fault.part, "order x");
    }
}

#[test]
fn all_faults_come_at_once_each_with_its_place() {
    let declaration = json!({
        "name": "many",
        "select": "SELECT id,\n  pg_sleep(1) AS a,\n  lower(size) AS b\nFROM session\nWHERE tenant = 1",
        "where": ["state = 1", "nope IS NULL"],
    });
    let faults = try_compile(declaration).expect_err("it is refused");
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "statement many, select, line 5, column 7: no column tenant here",
            "statement many, select, line 2, column 3: there is no function pg_sleep",
            "statement many, select, line 3, column 9: this is integer, where text is needed",
        ]
    );
    let declaration = json!({
        "name": "many", "select": "SELECT id FROM session",
        "where": ["state = 1", "nope IS NULL", ":a = :b"], "order": {"x": "nope"},
    });
    let faults = try_compile(declaration).expect_err("it is refused");
    let parts: Vec<&str> = faults.iter().map(|fault| fault.part.as_str()).collect();
    assert_eq!(parts[..4], ["where 1", "where 2", "where 3", "order x"]);
}

#[test]
fn more_than_both_databases_take_is_refused() {
    let union = " UNION ALL SELECT id FROM session".repeat(50);
    let join = " JOIN event e ON true".repeat(60);
    let items: String = (0..250).map(|place| format!(", id AS a{place}")).collect();
    for (sql, reason) in [
        (format!("SELECT id FROM session{union}"), "more than 50 SELECTs"),
        (format!("SELECT s.id FROM session s{join}"), "named twice"),
        (format!("SELECT id{items} FROM session"), "more than 250 columns"),
        (format!("SELECT id FROM session WHERE true{}", " OR active".repeat(200)), "more than 200"),
        (format!("SELECT coalesce(id{}) AS x FROM session", ", id".repeat(100)), "more than 100"),
    ] {
        let faults = select(&sql).expect_err(reason);
        assert!(faults[0].reason.contains(reason), "{:?}", faults[0]);
    }
}
