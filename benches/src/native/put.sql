-- Insert or replace a document. The gateway's own text, from collection_sql.rs.
WITH old AS MATERIALIZED (
SELECT expires_at FROM faults__document AS d
WHERE d.tenant = $1::int4 AND d.id = $2::text FOR UPDATE
)
INSERT INTO faults__document AS d (
tenant, id, version, created_at, updated_at, expires_at, body,
f__title, f__amount, f__ratio, f__done, f__due, f__tags, f__extra, f__unique_key
)
SELECT
$1::int4, $2::text, nextval('loggia_version'), $3::int8, $3::int8, $4::int8, $5::jsonb,
$6::text, $7::int8, $8::float8, $9::bool, $10::int8, $11::text[], $12::jsonb, $13::text
FROM (SELECT count(*) FROM old) AS looked
ON CONFLICT (tenant, id) DO UPDATE SET
version = nextval('loggia_version'),
created_at = CASE WHEN d.expires_at <= $3::int8 THEN $3::int8 ELSE d.created_at END,
updated_at = $3::int8,
expires_at = CASE WHEN $14::bool AND (d.expires_at IS NULL OR d.expires_at > $3::int8)
THEN d.expires_at ELSE $4::int8 END,
body = excluded.body,
f__title = excluded.f__title, f__amount = excluded.f__amount, f__ratio = excluded.f__ratio,
f__done = excluded.f__done, f__due = excluded.f__due, f__tags = excluded.f__tags,
f__extra = excluded.f__extra, f__unique_key = excluded.f__unique_key
RETURNING version, (d.xmax = 0 OR EXISTS (SELECT 1 FROM old WHERE expires_at <= $3::int8))
