//! Statements with their results: data alone, for every database that is to answer alike.
//!
//! Each case is run for tenant 1. Tenant 2 has the same documents with `CANARY` in every text,
//! and no case may show it; nor `EXPIRED`, which stands in documents that have expired at 1,000.

use serde_json::{Value, json};

/// The instant at which the cases are run.
pub(super) const NOW: i64 = 1_000;

/// Declarations of the collections.
pub(super) fn collections() -> Value {
    json!([
        {"name": "session", "expires": true, "fields": {
            "state": "text", "user_id": "text", "title": "text", "updated": "timestamp",
            "score": "number", "size": "integer", "active": "boolean", "tags": "text[]",
            "meta": "json"}},
        {"name": "event", "fields": {
            "session": "text", "kind": "text", "at": "timestamp", "n": "integer", "order": "text"}},
        {"name": "edge", "fields": {"a": "text", "b": "text", "cost": "integer"}},
    ])
}

/// Documents by collection; `expires` is a built-in column, the others are fields.
pub(super) fn documents() -> Value {
    json!({
        "session": [
            {"id": "s1", "state": "open", "user_id": "u1", "title": "Hello World", "updated": 100,
             "score": 1.5, "size": 10, "active": true, "tags": ["a", "b"],
             "meta": {"k": 1, "n": {"x": [1, 2]}}},
            {"id": "s2", "state": "open", "user_id": "u2", "title": "hello", "updated": 300,
             "score": 2.5, "size": 20, "active": false, "tags": ["b"], "meta": [1, 2, 3],
             "expires": 1001},
            {"id": "s3", "state": "closed", "user_id": "u1", "title": "Äpfel 100%", "updated": 200,
             "score": -0.5, "size": -7, "active": true, "tags": [], "meta": "text"},
            {"id": "s4", "state": "closed"},
            {"id": "s5", "state": "open", "user_id": "u1", "title": "it's \\ it", "updated": 300,
             "score": 3.5, "size": 3, "active": false, "tags": ["a", "é'"], "meta": {"k": 2}},
            {"id": "s6", "state": "EXPIRED", "user_id": "EXPIRED", "title": "EXPIRED",
             "updated": 400, "score": 9.5, "size": 99, "active": true, "tags": ["EXPIRED", "a"],
             "meta": {"k": "EXPIRED"}, "expires": 1000},
            {"id": "S7", "state": "open", "user_id": "u2", "title": "HELLO", "updated": null,
             "score": 0.5, "size": 4, "active": true, "tags": ["b", "a"], "meta": {"k": 1}},
        ],
        "event": [
            {"id": "e1", "session": "s1", "kind": "msg", "at": 10, "n": 1, "order": "x"},
            {"id": "e2", "session": "s1", "kind": "msg", "at": 70, "n": 2},
            {"id": "e3", "session": "s1", "kind": "join", "at": -10, "n": 5},
            {"id": "e4", "session": "s2", "kind": "msg", "at": 65, "n": 7, "order": "y"},
            {"id": "e5", "session": "s6", "kind": "msg", "at": 66, "n": 11},
            {"id": "e6", "session": "s5", "kind": "leave", "at": 130},
        ],
        "edge": [
            {"id": "1", "a": "p", "b": "q", "cost": 1}, {"id": "2", "a": "q", "b": "r", "cost": 2},
            {"id": "3", "a": "r", "b": "p", "cost": 4}, {"id": "4", "a": "r", "b": "s", "cost": 8},
        ],
    })
}

/// Statements, with `given` arguments, the order's name as `by`, and the `rows` they must give.
pub(super) fn cases() -> Vec<Value> {
    [
        plain(),
        ordered(),
        expressions(),
        functions(),
        grouped(),
        joined(),
        nested(),
        recursive(),
        windows(),
    ]
    .concat()
}

fn plain() -> Vec<Value> {
    vec![
        json!({"select": "SELECT id FROM session",
            "rows": [["S7"], ["s1"], ["s2"], ["s3"], ["s4"], ["s5"]]}),
        json!({"select": "SELECT id AS \"theId\", _version, _created_at, _expires_at FROM session WHERE id = 's2'",
            "rows": [["s2", 1, 5, 1001]]}),
        json!({"select": "SELECT s.id FROM session AS s WHERE s.state = :state",
            "given": {"state": "closed"}, "rows": [["s3"], ["s4"]]}),
        json!({"select": "SELECT id FROM session", "where": ["state = :state", "user_id = :user"],
            "given": {"user": "u2"}, "rows": [["S7"], ["s2"]]}),
        json!({"select": "SELECT id FROM session", "where": ["state = :state", "user_id = :user"],
            "given": {"user": "u1", "state": "open"}, "rows": [["s1"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE state = :state OR title = :state",
            "given": {"state": "it's \\ it"}, "rows": [["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE title = 'it''s \\ it'", "rows": [["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE state = ANY(:states)",
            "given": {"states": ["closed", "none"]}, "rows": [["s3"], ["s4"]]}),
        json!({"select": "SELECT id FROM session WHERE NOT state = ANY(:states)",
            "given": {"states": []}, "rows": [["S7"], ["s1"], ["s2"], ["s3"], ["s4"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE NOT user_id = ANY(:users)",
            "given": {"users": ["u1"]}, "rows": [["S7"], ["s2"]]}),
        json!({"select": "SELECT id FROM session WHERE NOT state = ANY(:states)",
            "given": {"states": null}, "rows": []}),
        json!({"select": "SELECT id FROM session WHERE 'a' = ANY(tags)",
            "rows": [["S7"], ["s1"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE size IN (3, :n, 10)",
            "given": {"n": 20}, "rows": [["s1"], ["s2"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE size NOT IN (3, 10)",
            "rows": [["S7"], ["s2"], ["s3"]]}),
        json!({"select": "SELECT id FROM session WHERE updated BETWEEN :from AND 299",
            "given": {"from": 100}, "rows": [["s1"], ["s3"]]}),
        json!({"select": "SELECT id FROM session WHERE size NOT BETWEEN 0 AND 10",
            "rows": [["s2"], ["s3"]]}),
        json!({"select": "SELECT id FROM session WHERE updated IS NULL AND state IS NOT NULL",
            "rows": [["S7"], ["s4"]]}),
        json!({"select": "SELECT id FROM session WHERE active", "rows": [["S7"], ["s1"], ["s3"]]}),
        json!({"select": "SELECT id FROM session WHERE active = :active",
            "given": {"active": false}, "rows": [["s2"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE NOT active OR active IS NULL",
            "rows": [["s2"], ["s4"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE score > 1 AND score < :high",
            "given": {"high": 3.5}, "rows": [["s1"], ["s2"]]}),
        json!({"select": "SELECT id FROM session WHERE size > 9.5", "rows": [["s1"], ["s2"]]}),
        json!({"select": "SELECT id FROM session WHERE id < 's'", "rows": [["S7"]]}),
        json!({"select": "SELECT id FROM session WHERE (state, id) >= ('open', :id)",
            "given": {"id": "s2"}, "rows": [["s2"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE _expires_at > now()", "rows": [["s2"]]}),
        json!({"select": "SELECT id, tags, meta, active, score FROM session WHERE id = ANY(:ids)",
            "given": {"ids": ["s1", "s4"]},
            "rows": [["s1", ["a", "b"], {"k": 1, "n": {"x": [1, 2]}}, true, 1.5],
                     ["s4", null, null, null, null]]}),
        json!({"select": "SELECT id, \"order\" FROM event WHERE \"order\" > 'x'",
            "rows": [["e4", "y"]]}),
    ]
}

fn ordered() -> Vec<Value> {
    let declaration = |by: &str, rows: Value| {
        json!({"select": "SELECT id, state, updated AS changed FROM session",
            "order": {
                "newest": "changed DESC", "oldest": "updated", "state": "state, updated DESC",
                "size": "size DESC, id", "id": "id DESC", "score": "state DESC, score"},
            "by": by, "rows": rows})
    };
    vec![
        declaration(
            "newest",
            json!([
                ["s5", "open", 300],
                ["s2", "open", 300],
                ["s3", "closed", 200],
                ["s1", "open", 100],
                ["s4", "closed", null],
                ["S7", "open", null]
            ]),
        ),
        declaration(
            "oldest",
            json!([
                ["S7", "open", null],
                ["s4", "closed", null],
                ["s1", "open", 100],
                ["s3", "closed", 200],
                ["s2", "open", 300],
                ["s5", "open", 300]
            ]),
        ),
        declaration(
            "state",
            json!([
                ["s3", "closed", 200],
                ["s4", "closed", null],
                ["s5", "open", 300],
                ["s2", "open", 300],
                ["s1", "open", 100],
                ["S7", "open", null]
            ]),
        ),
        declaration(
            "size",
            json!([
                ["s2", "open", 300],
                ["s1", "open", 100],
                ["S7", "open", null],
                ["s5", "open", 300],
                ["s3", "closed", 200],
                ["s4", "closed", null]
            ]),
        ),
        declaration(
            "id",
            json!([
                ["s5", "open", 300],
                ["s4", "closed", null],
                ["s3", "closed", 200],
                ["s2", "open", 300],
                ["s1", "open", 100],
                ["S7", "open", null]
            ]),
        ),
        declaration(
            "score",
            json!([
                ["S7", "open", null],
                ["s1", "open", 100],
                ["s2", "open", 300],
                ["s5", "open", 300],
                ["s4", "closed", null],
                ["s3", "closed", 200]
            ]),
        ),
    ]
}

fn expressions() -> Vec<Value> {
    vec![
        json!({"select": "SELECT id, size + 1 AS a, size - :n AS b, size * 2 AS c, -size / 3 AS d, \
                size % 4 AS e, size / 0 AS f FROM session WHERE id IN ('s1', 's3')",
            "given": {"n": 4},
            "rows": [["s1", 11, 6, 20, -3, 2, null], ["s3", -6, -11, -14, 2, -3, null]]}),
        json!({"select": "SELECT id, size / 4.0 AS a, score * size AS b, score / 0 AS c \
                FROM session WHERE id = 's1'",
            "rows": [["s1", 2.5, 15.0, null]]}),
        json!({"select": "SELECT id, now() - updated AS age, updated + 5 AS later, now() - :span AS since \
                FROM session WHERE updated > now() - :limit AND id < 's2'",
            "given": {"span": 10, "limit": 950}, "rows": [["s1", 900, 105, 990]]}),
        json!({"select": "SELECT state || '-' || id || :suffix AS x FROM session WHERE size > 9",
            "given": {"suffix": "!"}, "rows": [["open-s1!"], ["open-s2!"]]}),
        json!({"select": "SELECT id, CASE WHEN size > 9 THEN 'big' WHEN size > 0 THEN 'small' END AS x, \
                CASE state WHEN 'open' THEN 1 ELSE 2.5 END AS y FROM session WHERE id <> 's2'",
            "rows": [["S7", "small", 1.0], ["s1", "big", 1.0], ["s3", null, 2.5],
                     ["s4", null, 2.5], ["s5", "small", 1.0]]}),
        json!({"select": "SELECT id, size > 5 AS big, updated = 300 OR active AS x FROM session",
            "rows": [["S7", false, true], ["s1", true, true], ["s2", true, true],
                     ["s3", false, true], ["s4", null, null], ["s5", false, true]]}),
        json!({"select": "SELECT 'ü''\\n' AS text, 1e300 AS large, -9223372036854775808 AS least, \
                0.1 AS tenth, TRUE AS yes, :p AS p FROM session WHERE id = :p",
            "given": {"p": "s1"},
            "rows": [["ü'\\n", 1e300, -9_223_372_036_854_775_808_i64, 0.1, true, "s1"]]}),
    ]
}

fn functions() -> Vec<Value> {
    vec![
        json!({"select": "SELECT id, coalesce(user_id, 'none') AS a, nullif(state, 'open') AS b, \
                lower(title) AS c, upper(title) AS d, length(title) AS e FROM session \
                WHERE id IN ('s3', 's4')",
            "rows": [["s3", "u1", "closed", "Äpfel 100%", "ÄPFEL 100%", 10],
                     ["s4", "none", "closed", null, null, null]]}),
        json!({"select": "SELECT id, abs(size) AS a, abs(score) AS b, round(score) AS c, \
                floor(score) AS d, ceil(score) AS e, round(size) AS f FROM session \
                WHERE size IS NOT NULL",
            "rows": [["S7", 4, 0.5, 0.0, 0.0, 1.0, 4.0], ["s1", 10, 1.5, 2.0, 1.0, 2.0, 10.0],
                     ["s2", 20, 2.5, 2.0, 2.0, 3.0, 20.0], ["s3", 7, 0.5, -0.0, -1.0, -0.0, -7.0],
                     ["s5", 3, 3.5, 4.0, 3.0, 4.0, 3.0]]}),
        json!({"select": "SELECT id FROM session WHERE starts_with(title, :p)",
            "given": {"p": "HELLO"}, "rows": [["S7"]]}),
        json!({"select": "SELECT id FROM session WHERE starts_with(title, '')",
            "rows": [["S7"], ["s1"], ["s2"], ["s3"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE starts_with(title, 'Ä')", "rows": [["s3"]]}),
        json!({"select": "SELECT id FROM session WHERE contains_text(title, 'ELLO')",
            "rows": [["S7"], ["s1"], ["s2"]]}),
        json!({"select": "SELECT id FROM session WHERE contains_text(title, :p)",
            "given": {"p": "0%"}, "rows": [["s3"]]}),
        json!({"select": "SELECT id FROM session WHERE array_has_any(tags, :tags)",
            "given": {"tags": ["a", "x"]}, "rows": [["S7"], ["s1"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE array_has_all(tags, :tags)",
            "given": {"tags": ["a", "b"]}, "rows": [["S7"], ["s1"]]}),
        json!({"select": "SELECT id FROM session WHERE array_has_all(tags, :tags)",
            "given": {"tags": []}, "rows": [["S7"], ["s1"], ["s2"], ["s3"], ["s5"]]}),
        json!({"select": "SELECT id FROM session WHERE NOT array_has_any(tags, :tags)",
            "given": {"tags": ["a", "é'"]}, "rows": [["s2"], ["s3"]]}),
        json!({"select": "SELECT id, array_length(tags) AS n FROM session WHERE id > 's2'",
            "rows": [["s3", 0], ["s4", null], ["s5", 2]]}),
        json!({"select": "SELECT id FROM session WHERE json_contains(meta, :part)",
            "given": {"part": {"k": 1}}, "rows": [["S7"], ["s1"]]}),
        json!({"select": "SELECT id FROM session WHERE json_contains(meta, :part)",
            "given": {"part": {"n": {"x": [2]}}}, "rows": [["s1"]]}),
        json!({"select": "SELECT id FROM session WHERE json_contains(meta, :part)",
            "given": {"part": 3}, "rows": [["s2"]]}),
        json!({"select": "SELECT id FROM session WHERE NOT json_contains(meta, :part)",
            "given": {"part": [3, 1]}, "rows": [["S7"], ["s1"], ["s3"], ["s5"]]}),
        json!({"select": "SELECT id, json_object('id', id, 'n', size, 'x', score, 'on', active, \
                'tags', tags, 'meta', meta, 'none', user_id, 'in', json_object('a', 'it''s')) AS o \
                FROM session WHERE id IN ('s2', 's4')",
            "rows": [["s2", {"id": "s2", "n": 20, "x": 2.5, "on": false, "tags": ["b"],
                        "meta": [1, 2, 3], "none": "u2", "in": {"a": "it's"}}],
                     ["s4", {"id": "s4", "n": null, "x": null, "on": null, "tags": null,
                        "meta": null, "none": null, "in": {"a": "it's"}}]]}),
        json!({"select": "SELECT id, json_extract(meta, '/n/x/1') AS x, json_extract(meta, '/k') AS k, \
                json_extract(meta, '/2') AS third FROM session WHERE id IN ('s1', 's2', 's4')",
            "rows": [["s1", 2, 1, null], ["s2", null, null, 3], ["s4", null, null, null]]}),
        json!({"select": "SELECT id, json_object('b', _body) AS o, json_extract(_body, '/state') AS s, \
                json_extract(_body, '/title') AS t FROM session WHERE id = 's4'",
            "rows": [["s4", {"b": {"state": "closed"}}, "closed", null]]}),
        json!({"select": "SELECT json_object('at', at, 'now', now(), 'later', now() + 1767225600000000) AS o, \
                json_object('no', CAST(NULL AS timestamp)) AS no FROM event WHERE id = 'e3'",
            "rows": [[{"at": "1969-12-31T23:59:59.999990Z", "now": "1970-01-01T00:00:00.001Z",
                "later": "2026-01-01T00:00:00.001Z"}, {"no": null}]]}),
        json!({"select": "SELECT id, time_bucket(60, at) AS minute, time_bucket(0, at) AS x FROM event",
            "rows": [["e1", 0, null], ["e2", 60, null], ["e3", -60, null], ["e4", 60, null],
                     ["e5", 60, null], ["e6", 120, null]]}),
    ]
}

fn grouped() -> Vec<Value> {
    vec![
        json!({"select": "SELECT state, count(*) AS n, count(size) AS sized, sum(size) AS total, \
                min(updated) AS first, max(title) AS last FROM session GROUP BY state",
            "order": {"most": "n DESC"}, "by": "most",
            "rows": [["open", 4, 4, 37, 100, "it's \\ it"], ["closed", 2, 1, -7, 200, "Äpfel 100%"]]}),
        json!({"select": "SELECT user_id, avg(size) AS a, avg(score) AS b FROM session GROUP BY user_id",
            "rows": [[null, null, null], ["u1", 2.0, 1.5], ["u2", 12.0, 1.5]]}),
        json!({"select": "SELECT count(*) AS n, sum(size) AS total, sum(score) AS x, avg(size) AS a \
                FROM session WHERE state = 'none'",
            "rows": [[0, null, null, null]]}),
        json!({"select": "SELECT time_bucket(:width, at) AS start, count(*) AS n FROM event GROUP BY start",
            "given": {"width": 60},
            "rows": [[-60, 1], [0, 1], [60, 3], [120, 1]]}),
        json!({"select": "SELECT count(DISTINCT kind) AS n, count(*) FILTER (WHERE kind = 'msg') AS m FROM event",
            "rows": [[3, 4]]}),
        json!({"select": "SELECT count(*) AS n FROM session GROUP BY state, active",
            "rows": [[1], [1], [2], [2]]}),
        json!({"select": "SELECT kind FROM event GROUP BY kind HAVING count(*) > 1 AND max(n) > 10",
            "rows": [["msg"]]}),
        json!({"select": "SELECT state, count(*) AS n FROM session GROUP BY state",
            "where": ["active = :active"], "given": {"active": true},
            "rows": [["closed", 1], ["open", 2]]}),
        json!({"select": "SELECT DISTINCT state, active FROM session",
            "order": {"x": "active DESC"}, "by": "x",
            "rows": [["open", true], ["closed", true], ["open", false], ["closed", null]]}),
        json!({"select": "SELECT DISTINCT 1 IS NOT NULL AS yes, FALSE AND active AS no, state FROM session",
            "order": {"x": "no, state"}, "by": "x",
            "rows": [[true, false, "closed"], [true, false, "open"]]}),
        json!({"select": "SELECT session, json_array_agg(kind ORDER BY at DESC) AS kinds, \
                json_array_agg(json_object('n', n) ORDER BY at) FILTER (WHERE n > 1) AS big \
                FROM event GROUP BY session",
            "rows": [["s1", ["msg", "msg", "join"], [{"n": 5}, {"n": 2}]], ["s2", ["msg"], [{"n": 7}]],
                     ["s5", ["leave"], []], ["s6", ["msg"], [{"n": 11}]]]}),
        json!({"select": "SELECT json_array_agg(tags ORDER BY id) AS t, json_array_agg(active ORDER BY id DESC) AS a \
                FROM session WHERE id < 's4'",
            "rows": [[[["b", "a"], ["a", "b"], ["b"], []], [true, false, true, true]]]}),
    ]
}

fn joined() -> Vec<Value> {
    vec![
        json!({"select": "SELECT s.id, e.id AS event, e.kind FROM session s JOIN event e ON e.session = s.id",
            "rows": [["s1", "e1", "msg"], ["s1", "e2", "msg"], ["s1", "e3", "join"],
                     ["s2", "e4", "msg"], ["s5", "e6", "leave"]]}),
        json!({"select": "SELECT s.id, e.id AS event FROM session s \
                LEFT JOIN event e ON e.session = s.id AND e.kind = :kind",
            "given": {"kind": "msg"}, "order": {"x": "event DESC"}, "by": "x",
            "rows": [["s2", "e4"], ["s1", "e2"], ["s1", "e1"], ["s5", null], ["s4", null],
                     ["s3", null], ["S7", null]]}),
        json!({"select": "SELECT e.id, s.state FROM event e LEFT JOIN session s ON s.id = e.session \
                WHERE s.id IS NULL",
            "rows": [["e5", null]]}),
        json!({"select": "SELECT s.state, count(e.id) AS n FROM session s \
                LEFT JOIN event AS e ON e.session = s.id GROUP BY s.state",
            "where": ["s.user_id = :user"], "given": {"user": "u1"},
            "rows": [["closed", 0], ["open", 4]]}),
        json!({"select": "SELECT x.id, y.id AS other FROM event x JOIN event y ON y.at > x.at AND y.kind = x.kind \
                JOIN session s ON s.id = x.session AND s.id = y.session",
            "rows": [["e1", "e2"]]}),
    ]
}

fn nested() -> Vec<Value> {
    vec![
        json!({"select": "SELECT id FROM session s WHERE EXISTS (SELECT 1 FROM event e WHERE e.session = s.id)",
            "rows": [["s1"], ["s2"], ["s5"]]}),
        json!({"select": "SELECT id FROM session s WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.session = s.id AND e.kind = :k)",
            "given": {"k": "msg"}, "rows": [["S7"], ["s3"], ["s4"], ["s5"]]}),
        json!({"select": "SELECT id FROM event WHERE session IN (SELECT id FROM session WHERE state = 'open')",
            "rows": [["e1"], ["e2"], ["e3"], ["e4"], ["e6"]]}),
        json!({"select": "SELECT id FROM event WHERE session NOT IN (SELECT id FROM session)",
            "rows": [["e5"]]}),
        json!({"select": "SELECT id FROM session", "where": ["id IN (SELECT session FROM event WHERE kind = :kind)"],
            "given": {"kind": "join"}, "rows": [["s1"]]}),
        json!({"select": "SELECT s.id, (SELECT count(*) FROM event e WHERE e.session = s.id) AS n, \
                (SELECT e.kind FROM event e WHERE e.session = s.id ORDER BY e.at LIMIT 1) AS first \
                FROM session s",
            "order": {"n": "n DESC"}, "by": "n",
            "rows": [["s1", 3, "join"], ["s5", 1, "leave"], ["s2", 1, "msg"], ["s4", 0, null],
                     ["s3", 0, null], ["S7", 0, null]]}),
        json!({"select": "SELECT id FROM session WHERE size > (SELECT avg(size) FROM session)",
            "rows": [["s1"], ["s2"]]}),
        json!({"select": "SELECT u.id, u.what FROM (SELECT id, 'session' AS what FROM session WHERE size > 9 \
                UNION ALL SELECT id, kind FROM event WHERE n > 6) AS u",
            "where": ["u.id <> :id"], "given": {"id": "s1"},
            "rows": [["e4", "msg"], ["e5", "msg"], ["s2", "session"]]}),
        json!({"select": "SELECT u.rowid, u.ctid, u.tenant, u.value FROM (SELECT size AS rowid, state AS ctid, \
                user_id AS tenant, tags AS value FROM session WHERE 'b' = ANY(tags)) AS u",
            "where": ["array_has_any(u.value, :value)"], "given": {"value": ["a"]},
            "order": {"r": "rowid DESC"}, "by": "r",
            "rows": [[10, "open", "u1", ["a", "b"]], [4, "open", "u2", ["b", "a"]]]}),
        json!({"select": "SELECT state AS x FROM session UNION SELECT kind FROM event",
            "rows": [["closed"], ["join"], ["leave"], ["msg"], ["open"]]}),
        json!({"select": "SELECT size AS x, NULL AS y FROM session WHERE size < 5 UNION ALL SELECT score, id FROM session WHERE score > 2",
            "order": {"down": "x DESC"}, "by": "down",
            "rows": [[4.0, null], [3.5, "s5"], [3.0, null], [2.5, "s2"], [-7.0, null]]}),
        json!({"select": "WITH busy AS (SELECT session, count(*) AS n FROM event GROUP BY session), \
                top (id, n) AS (SELECT session, n FROM busy WHERE n > :n) \
                SELECT s.id, s.state, t.n FROM session s JOIN top t ON t.id = s.id",
            "given": {"n": 0},
            "rows": [["s1", "open", 3], ["s2", "open", 1], ["s5", "open", 1]]}),
        json!({"select": "SELECT s.user_id, (SELECT max(e.n) FROM event e JOIN session o ON o.id = e.session \
                WHERE o.user_id = s.user_id) AS top FROM session s GROUP BY s.user_id",
            "rows": [[null, null], ["u1", 5], ["u2", 7]]}),
    ]
}

fn recursive() -> Vec<Value> {
    vec![
        json!({"select": "WITH RECURSIVE reach (node, depth) AS (SELECT CAST(:from AS text) AS node, 0 AS depth \
                UNION SELECT e.b, r.depth + 1 FROM reach r JOIN edge e ON e.a = r.node WHERE r.depth < 5) \
                SELECT node, min(depth) AS depth FROM reach GROUP BY node",
            "given": {"from": "p"},
            "rows": [["p", 0], ["q", 1], ["r", 2], ["s", 3]]}),
        json!({"select": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) \
                SELECT i FROM n WHERE i > 1",
            "rows": [[2], [3], [4]]}),
        json!({"select": "WITH RECURSIVE n (i, last) AS (SELECT 0, CAST(NULL AS text) UNION ALL \
                SELECT n.i + 1, e.id FROM n JOIN event e ON e.n = n.i + 1) SELECT i, last FROM n",
            "rows": [[0, null], [1, "e1"], [2, "e2"]]}),
        json!({"select": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                SELECT count(*) AS n FROM n",
            "rows": [[100_000]]}),
    ]
}

fn windows() -> Vec<Value> {
    vec![
        json!({"select": "SELECT id, row_number() OVER (PARTITION BY session ORDER BY at) AS place, \
                lag(n) OVER (ORDER BY at) AS before, lead(id, 2) OVER (ORDER BY at) AS after, \
                sum(n) OVER (PARTITION BY kind ORDER BY at) AS running, \
                count(*) OVER (PARTITION BY session) AS of, rank() OVER (ORDER BY kind) AS r \
                FROM event",
            "order": {"at": "place, id DESC"}, "by": "at",
            "rows": [["e6", 1, 2, null, null, 1, 2], ["e5", 1, 7, "e6", 19, 1, 3],
                     ["e4", 1, 1, "e2", 8, 1, 3], ["e3", 1, null, "e4", 5, 3, 1],
                     ["e1", 2, 5, "e5", 1, 3, 3], ["e2", 3, 11, null, 21, 3, 3]]}),
        json!({"select": "SELECT id, avg(n) OVER (PARTITION BY session) AS a, \
                dense_rank() OVER (ORDER BY session DESC) AS d FROM event WHERE session <> 's6'",
            "rows": [["e1", 2.6666666666666665, 3], ["e2", 2.6666666666666665, 3],
                     ["e3", 2.6666666666666665, 3], ["e4", 7.0, 2], ["e6", null, 1]]}),
        json!({"select": "SELECT kind, count(*) OVER (PARTITION BY kind) AS n FROM event",
            "order": {"n": "n DESC"}, "by": "n",
            "rows": [["msg", 4], ["msg", 4], ["msg", 4], ["msg", 4], ["leave", 1], ["join", 1]]}),
        json!({"select": "SELECT w.session, w.id FROM (SELECT id, session, row_number() OVER \
                (PARTITION BY session ORDER BY at DESC) AS place FROM event) w WHERE w.place = 1",
            "rows": [["s1", "e2"], ["s2", "e4"], ["s5", "e6"], ["s6", "e5"]]}),
    ]
}
