//! What the sequences write and ask: collections with everything that a collection can declare,
//! and a fixed set of statements.

use serde_json::{Value as Json, json};

/// The manifest's collections and statements.
pub(super) fn manifest() -> Json {
    json!({"collections": collections(), "statements": statements(), "counts": counts()})
}

/// Names of the collections.
pub(super) const DECLARED: [&str; 4] = ["thing", "note", "timed", "part"];

fn collections() -> Json {
    json!([
        {
            "name": "thing",
            "fields": {
                "kind": "text", "amount": "integer", "ratio": "number", "done": "boolean",
                "due": "timestamp", "tags": "text[]", "big": "integer", "key": "text",
                "extra": {"type": "json", "path": ["/extra", "/more/extra"]},
            },
            "indexes": [
                {"name": "by_kind", "fields": ["kind", "-amount"]},
                {"name": "by_due", "fields": ["-due"]},
                {"name": "one_key", "fields": ["key"], "unique": true},
                {"name": "one_big", "fields": ["kind", "big"], "unique": true},
            ],
            "expires": true,
        },
        {"name": "note", "fields": {"kind": "text", "amount": "integer"}},
        {
            "name": "timed", "fields": {"kind": "text", "key": "text"}, "ttl_seconds": 100,
            "indexes": [{"name": "one_key", "fields": ["key"], "unique": true}],
        },
        {
            "name": "part", "fields": {"kind": "text", "amount": "integer", "more": "text"},
            "references": [
                {"name": "of", "field": "kind", "collection": "note", "on_delete": "cascade"},
                {"name": "within", "field": "more", "collection": "part", "on_delete": "cascade"},
            ],
        },
    ])
}

fn counts() -> Json {
    json!([
        {"name": "things", "collections": ["thing", "note"], "by": ["kind"], "sum": ["amount"]},
        {"name": "parts", "collections": ["part"], "sum": ["amount"]},
        {"name": "done", "collections": ["thing"], "where": {"done": [true]}},
    ])
}

/// Names of the update and delete statements. The last one is not declared.
pub(super) const UPDATES: [&str; 6] = ["raise", "rename", "reword", "point", "outlive", "nothing"];
pub(super) const DELETES: [&str; 4] = ["clear", "clear-notes", "clear-parts", "nothing"];

/// Names of the statements with their named orders. The last one is not declared.
pub(super) const STATEMENTS: [(&str, &[&str]); 11] = [
    ("things", &["kind"]),
    ("parts", &[]),
    ("done", &[]),
    ("list", &["id", "amount", "kind", "newest", "ratio", "due"]),
    ("sums", &["kind", "n"]),
    ("joined", &["id"]),
    ("ranked", &["id"]),
    ("all", &["id"]),
    ("without", &["id"]),
    ("tagged", &["id"]),
    ("nothing", &[]),
];

fn statements() -> Json {
    json!([
        {
            "name": "things", "select": "SELECT kind, documents, sum_amount FROM count_things",
            "order": {"kind": "kind"},
        },
        {"name": "parts", "select": "SELECT documents, sum_amount FROM count_parts"},
        {"name": "done", "select": "SELECT documents FROM count_done"},
        {
            "name": "raise", "update": "thing", "where": ["kind = :kind"],
            "set": {"amount": "coalesce(amount, 0) + :by", "extra": "json_append(extra, amount)"},
            "order": {"most": "amount DESC"},
        },
        {"name": "rename", "update": "thing", "where": ["id = :id"], "set": {"key": ":kind"}},
        {
            "name": "reword", "update": "timed", "where": ["kind = :kind"],
            "set": {"kind": "upper(kind) || :kind", "key": "id"}, "expires": "never",
        },
        {"name": "point", "update": "part", "where": ["id = :id"], "set": {"more": ":kind"}},
        {
            "name": "outlive", "update": "thing", "where": ["done"], "expires": "due + 1000000",
            "order": {"id": "id DESC"},
        },
        {"name": "clear", "delete": "thing", "where": ["kind = :kind"], "order": {"least": "amount"}},
        {"name": "clear-notes", "delete": "note", "where": ["id = :id"]},
        {
            "name": "clear-parts", "delete": "part",
            "where": "NOT EXISTS (SELECT 1 FROM thing AS t WHERE t.kind = part.kind)",
        },
        {
            "name": "list",
            "select": "SELECT id, kind, amount, ratio, done, due, tags, big, key, extra, \
                       _created_at, _updated_at, _expires_at FROM thing",
            "where": [
                "kind = :kind", "amount >= :least", "array_has_any(tags, :tags)", "due < :before",
                "done = :done", "ratio > :ratio",
            ],
            "order": {
                "id": "id", "amount": "amount DESC", "kind": "kind, amount DESC",
                "newest": "_updated_at DESC", "ratio": "ratio", "due": "due DESC, kind",
            },
        },
        {
            "name": "sums",
            "select": "SELECT kind, count(*) AS n, sum(amount) AS total, avg(amount) AS mean, \
                       min(ratio) AS least, max(due) AS latest, count(amount) AS amounts \
                       FROM thing GROUP BY kind HAVING count(*) > :more",
            "order": {"kind": "kind", "n": "n DESC, kind"},
        },
        {
            "name": "joined",
            "select": "SELECT t.id AS id, n.id AS note, n.amount + t.amount AS both, \
                       coalesce(n.kind, 'none') AS kind \
                       FROM thing AS t LEFT JOIN note AS n ON n.kind = t.kind",
            "where": ["t.kind = :kind"],
            "order": {"id": "id, note"},
        },
        {
            "name": "ranked",
            "select": "SELECT id, row_number() OVER (PARTITION BY kind ORDER BY amount, id) AS place, \
                       CASE WHEN amount > 0 THEN 'more' WHEN amount IS NULL THEN 'none' ELSE 'less' END AS sign \
                       FROM thing",
            "order": {"id": "id"},
        },
        {
            "name": "all",
            "select": "SELECT id, kind FROM thing UNION ALL SELECT id, kind FROM note \
                       UNION ALL SELECT id, kind FROM timed",
            "order": {"id": "id, kind"},
        },
        {
            "name": "without",
            "select": "SELECT id, lower(kind) AS low, length(kind) AS size FROM note AS n \
                       WHERE NOT EXISTS (SELECT 1 FROM timed AS t WHERE t.kind = n.kind)",
            "order": {"id": "id"},
        },
        {
            "name": "tagged",
            "select": "SELECT id, array_length(tags) AS n, json_contains(extra, :part) AS has \
                       FROM thing WHERE array_has_all(tags, :tags)",
            "order": {"id": "id"},
        },
    ])
}
