-- Read a document that has not expired. The gateway's own text, from collection_sql.rs.
SELECT id, version, created_at, updated_at, expires_at, body
FROM faults__document AS d
WHERE d.tenant = $1::int4 AND d.id = $2::text
AND (d.expires_at IS NULL OR d.expires_at > $3::int8)
