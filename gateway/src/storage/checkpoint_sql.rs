//! The SQL of checkpoints. Only names of collections and tables, which the manifest's schema has
//! checked, and texts of scopes, which the statement compiler has rendered, get into it.
//!
//! Parameters: 1 is the checkpoint's id, 2 the tenant; each function says what follows.

use std::sync::Arc;

use super::statement::Dialect;

/// A chunk holds at most this many documents,
const CHUNK_DOCUMENTS: u32 = 500;
/// and ends when it has this many bytes.
const CHUNK_BYTES: u32 = 1 << 20;

/// Make a checkpoint of scopes, each a collection's name and a text. Behind 2 follow plugin,
/// subject, label, metadata, time and scopes, then the parameters of the texts. Answers with
/// documents and bytes.
pub(super) fn create_postgres(scopes: &[(String, Arc<str>)]) -> String {
    let mut parts = Vec::new();
    let mut sums = Vec::new();
    for (place, (collection, documents)) in scopes.iter().enumerate() {
        parts.push(format!(
            "c{place} AS (INSERT INTO loggia_checkpoint_chunk \
             (checkpoint, tenant, collection, number, last_id, documents, bytes, data) \
             SELECT $1::text, $2::int4, '{collection}', g::int4, max(id), count(*)::int4, \
             sum(octet_length(body))::int8, '[' || string_agg('[' || to_json(id)::text || ',' || \
             version || ',' || created_at || ',' || updated_at || ',' || \
             coalesce(expires_at::text, 'null') || ',' || body || ']', ',' ORDER BY id) || ']' \
             FROM (SELECT s.*, (row_number() OVER w - 1) / {CHUNK_DOCUMENTS} + \
             sum(octet_length(body)) OVER w / {CHUNK_BYTES} AS g FROM (SELECT id, version, \
             created_at, updated_at, expires_at, body::text AS body FROM ({documents}) AS d) AS s \
             WINDOW w AS (ORDER BY id)) AS z GROUP BY g RETURNING documents, bytes)"
        ));
        sums.push(format!("SELECT documents, bytes FROM c{place}"));
    }
    format!(
        "WITH {parts} INSERT INTO loggia_checkpoint (id, tenant, plugin, subject, label, \
         metadata, created_at, scopes, documents, bytes) SELECT $1::text, $2::int4, $3::text, \
         $4::text, $5::text, $6::jsonb, $7::int8, $8::jsonb, coalesce(sum(documents), 0)::int8, \
         coalesce(sum(bytes), 0)::int8 FROM ({sums}) AS c RETURNING documents, bytes",
        parts = parts.join(", "),
        sums = sums.join(" UNION ALL "),
    )
}

/// As in [`create_postgres`], without documents.
pub(super) const HEAD_SQLITE: &str = "INSERT INTO loggia_checkpoint \
     (id, tenant, plugin, subject, label, metadata, created_at, scopes, documents, bytes) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0)";

/// The chunks of one collection, 3, from the text of its scope.
pub(super) fn chunks_sqlite(documents: &str) -> String {
    format!(
        "INSERT INTO loggia_checkpoint_chunk \
         (checkpoint, tenant, collection, number, last_id, documents, bytes, data) \
         SELECT ?1, ?2, ?3, g, max(id), count(*), sum(octet_length(body)), \
         '[' || group_concat('[' || json_quote(id) || ',' || version || ',' || created_at || ',' || \
         updated_at || ',' || coalesce(expires_at, 'null') || ',' || body || ']', ',' \
         ORDER BY id) || ']' FROM (SELECT s.*, (row_number() OVER w - 1) / {CHUNK_DOCUMENTS} + \
         sum(octet_length(body)) OVER w / {CHUNK_BYTES} AS g FROM ({documents}) AS s \
         WINDOW w AS (ORDER BY id)) AS z GROUP BY g"
    )
}

/// Add up what the chunks hold. Answers with documents and bytes.
pub(super) const SUMS_SQLITE: &str = "UPDATE loggia_checkpoint SET (documents, bytes) = \
     (SELECT coalesce(sum(documents), 0), coalesce(sum(bytes), 0) FROM loggia_checkpoint_chunk \
     WHERE checkpoint = ?1 AND tenant = ?2) WHERE id = ?1 AND tenant = ?2 \
     RETURNING documents, bytes";

/// As [`find`], and nobody deletes it meanwhile.
pub(super) fn find_to_restore(dialect: Dialect) -> String {
    let lock = if dialect == Dialect::Postgres { " FOR KEY SHARE" } else { "" };
    format!("{}{lock}", find(dialect))
}

/// The scopes of a checkpoint of the plugin 3.
pub(super) fn find(dialect: Dialect) -> String {
    let [id, tenant, plugin] = parameters(dialect, ["text", "int4", "text"]);
    format!(
        "SELECT scopes FROM loggia_checkpoint WHERE id = {id} AND tenant = {tenant} \
         AND plugin = {plugin}"
    )
}

/// The documents of the collection 3 behind the id 4, at most 5. So many chunks are unpacked as can
/// be needed: the first may have been read in part.
pub(super) fn read(dialect: Dialect) -> String {
    let [id, tenant, collection, after, limit] =
        parameters(dialect, ["text", "int4", "text", "text", "int8"]);
    let chunks = format!(
        "(SELECT data, number, sum(documents) OVER (ORDER BY number) - documents AS before \
         FROM loggia_checkpoint_chunk WHERE checkpoint = {id} AND tenant = {tenant} \
         AND collection = {collection} AND last_id > {after}) AS c"
    );
    let (unpacked, columns, place) = unpack(dialect);
    let doc_id = if dialect == Dialect::Postgres {
        "(e.document->>0) COLLATE \"C\""
    } else {
        "json_extract(e.value, '$[0]')"
    };
    format!(
        "SELECT {columns} FROM {chunks}, {unpacked} WHERE c.before < {limit} + {CHUNK_DOCUMENTS} \
         AND {doc_id} > {after} ORDER BY c.number, {place} LIMIT {limit}"
    )
}

/// What differs between 1 and the checkpoint 6, behind the collection 3 and the id 4, at most 5:
/// collection, id and 0 for added, 1 for removed, 2 for changed.
pub(super) fn diff_checkpoints(dialect: Dialect) -> String {
    let names = parameters(dialect, ["text", "int4", "text", "text", "int8", "text"]);
    let [from, tenant, .., to] = &names;
    let documents = |checkpoint: &str| {
        let (unpacked, columns, _) = unpack(dialect);
        format!(
            "SELECT c.collection, {columns} FROM loggia_checkpoint_chunk AS c, {unpacked} \
             WHERE c.checkpoint = {checkpoint} AND c.tenant = {tenant}"
        )
    };
    diff(dialect, &documents(from), &documents(to), &names)
}

/// As [`diff_checkpoints`], with what scopes hold now. Behind 5 follow now and the parameters of the
/// scopes' texts.
pub(super) fn diff_now(dialect: Dialect, scopes: &[(String, Arc<str>)]) -> String {
    let names = parameters(dialect, ["text", "int4", "text", "text", "int8", "int8"]);
    let [from, tenant, .., now] = &names;
    let (unpacked, columns, _) = unpack(dialect);
    let from = format!(
        "SELECT * FROM (SELECT c.collection, {columns} FROM loggia_checkpoint_chunk AS c, \
         {unpacked} WHERE c.checkpoint = {from} AND c.tenant = {tenant}) AS k \
         WHERE k.expires_at IS NULL OR k.expires_at > {now}"
    );
    let collate = if dialect == Dialect::Postgres { " COLLATE \"C\"" } else { "" };
    let arms: Vec<String> = scopes
        .iter()
        .map(|(collection, documents)| {
            format!("SELECT '{collection}'{collate} AS collection, s.* FROM ({documents}) AS s")
        })
        .collect();
    diff(dialect, &from, &arms.join(" UNION ALL "), &names)
}

fn diff(dialect: Dialect, from: &str, to: &str, names: &[String; 6]) -> String {
    let [_, _, collection, id, limit, _] = names;
    let other = differs(dialect, "a", "b");
    format!(
        "WITH a AS MATERIALIZED ({from}), b AS MATERIALIZED ({to}) \
         SELECT collection, id, kind FROM ( \
         SELECT a.collection, a.id, CASE WHEN b.id IS NULL THEN 1 ELSE 2 END AS kind FROM a \
         LEFT JOIN b ON b.collection = a.collection AND b.id = a.id WHERE b.id IS NULL OR {other} \
         UNION ALL SELECT b.collection, b.id, 0 FROM b \
         LEFT JOIN a ON a.collection = b.collection AND a.id = b.id WHERE a.id IS NULL) AS d \
         WHERE (collection, id) > ({collection}, {id}) ORDER BY collection, id LIMIT {limit}"
    )
}

/// Ids of what the scope's text holds now and the checkpoint's collection 3 did not, at most 4.
/// What had a time to live that is over at 5 is not there. The text's parameters follow.
pub(super) fn others(dialect: Dialect, documents: &str) -> String {
    let [.., limit, _] = parameters(dialect, ["text", "int4", "text", "int8", "int8"]);
    format!(
        "WITH k AS MATERIALIZED ({kept}) SELECT s.id FROM ({documents}) AS s \
         LEFT JOIN k ON k.id = s.id WHERE k.id IS NULL ORDER BY s.id LIMIT {limit}",
        kept = kept(dialect),
    )
}

/// Documents of the checkpoint's collection 3 that are not in the table, or not so, at most 4; 5 is
/// now.
pub(super) fn missing(dialect: Dialect, table: &str) -> String {
    let [_, tenant, _, limit, now] = parameters(dialect, ["text", "int4", "text", "int8", "int8"]);
    let other = differs(dialect, "k", "d");
    format!(
        "WITH k AS MATERIALIZED ({kept}) SELECT k.id, k.version, k.created_at, k.updated_at, \
         k.expires_at, k.body FROM k LEFT JOIN {table} AS d ON d.tenant = {tenant} \
         AND d.id = k.id AND (d.expires_at IS NULL OR d.expires_at > {now}) \
         WHERE d.id IS NULL OR {other} ORDER BY k.id LIMIT {limit}",
        kept = kept(dialect),
    )
}

/// The documents of one collection that would still exist.
fn kept(dialect: Dialect) -> String {
    let [id, tenant, collection, _, now] =
        parameters(dialect, ["text", "int4", "text", "int8", "int8"]);
    let (unpacked, columns, _) = unpack(dialect);
    format!(
        "SELECT * FROM (SELECT {columns} FROM loggia_checkpoint_chunk AS c, {unpacked} \
         WHERE c.checkpoint = {id} AND c.tenant = {tenant} AND c.collection = {collection}) AS t \
         WHERE t.expires_at IS NULL OR t.expires_at > {now}"
    )
}

/// Delete the checkpoints 3 of the tenant 1 and the plugin 2: a row for each.
pub(super) fn delete(dialect: Dialect) -> String {
    let [tenant, plugin, ids] = parameters(dialect, ["int4", "text", "text[]"]);
    let listed = match dialect {
        Dialect::Postgres => format!("id = ANY({ids})"),
        Dialect::Sqlite => format!("id IN (SELECT value FROM json_each({ids}))"),
    };
    format!(
        "DELETE FROM loggia_checkpoint WHERE tenant = {tenant} AND plugin = {plugin} \
         AND {listed} RETURNING 1"
    )
}

/// That a document of the checkpoint `k` is another in `d`. Equal versions are equal documents.
fn differs(dialect: Dialect, k: &str, d: &str) -> String {
    match dialect {
        Dialect::Postgres => format!(
            "({d}.version <> {k}.version AND ({d}.body <> {k}.body \
             OR {d}.expires_at IS DISTINCT FROM {k}.expires_at))"
        ),
        Dialect::Sqlite => format!(
            "({d}.version <> {k}.version AND (NOT loggia_json_equal({d}.body, {k}.body) \
             OR {d}.expires_at IS NOT {k}.expires_at))"
        ),
    }
}

/// The documents in a chunk `c`: the source, its columns as those of a document, and their order.
fn unpack(dialect: Dialect) -> (&'static str, &'static str, &'static str) {
    match dialect {
        Dialect::Postgres => (
            "json_array_elements(c.data::json) WITH ORDINALITY AS e (document, place)",
            "(e.document->>0) COLLATE \"C\" AS id, (e.document->>1)::int8 AS version, \
             (e.document->>2)::int8 AS created_at, (e.document->>3)::int8 AS updated_at, \
             (e.document->>4)::int8 AS expires_at, (e.document->5)::jsonb AS body",
            "e.place",
        ),
        Dialect::Sqlite => (
            "json_each(c.data) AS e",
            "json_extract(e.value, '$[0]') AS id, json_extract(e.value, '$[1]') AS version, \
             json_extract(e.value, '$[2]') AS created_at, json_extract(e.value, '$[3]') AS updated_at, \
             json_extract(e.value, '$[4]') AS expires_at, e.value -> '$[5]' AS body",
            "e.key",
        ),
    }
}

fn parameters<const N: usize>(dialect: Dialect, types: [&str; N]) -> [String; N] {
    let mut number = 0;
    types.map(|postgres_type| {
        number += 1;
        match dialect {
            Dialect::Postgres => format!("${number}::{postgres_type}"),
            Dialect::Sqlite => format!("?{number}"),
        }
    })
}
