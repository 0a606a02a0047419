-- Insert or replace a document that nothing counts. The gateway's own text, from collection_sql.rs. The layout is a
-- digest of the plugin's fields.
WITH old AS MATERIALIZED (
SELECT expires_at FROM faults__uncounted AS d
WHERE d.tenant = $1::int4 AND d.id = $2::text FOR UPDATE
)
INSERT INTO faults__uncounted AS d (
tenant, id, version, created_at, updated_at, expires_at, body,
f__title, f__amount, f__ratio, f__done, f__due, f__tags, f__extra, f__unique_key,
schema_version, layout
)
SELECT
$1::int4, $2::text, nextval('loggia_version'), $6::int8, $3::int8, $4::int8, $5::jsonb,
$7::text, $8::int8, $9::float8, $10::bool, $11::int8, $12::text[], $13::jsonb, $14::text,
1, 771552254
FROM (SELECT count(*) FROM old) AS looked
ON CONFLICT (tenant, id) DO UPDATE SET
version = nextval('loggia_version'),
created_at = CASE WHEN d.expires_at <= $3::int8 THEN excluded.created_at ELSE d.created_at END,
updated_at = $3::int8,
expires_at = CASE WHEN $15::bool AND (d.expires_at IS NULL OR d.expires_at > $3::int8)
THEN d.expires_at ELSE $4::int8 END,
body = excluded.body,
schema_version = 1, layout = 771552254,
f__title = excluded.f__title, f__amount = excluded.f__amount, f__ratio = excluded.f__ratio,
f__done = excluded.f__done, f__due = excluded.f__due, f__tags = excluded.f__tags,
f__extra = excluded.f__extra, f__unique_key = excluded.f__unique_key
RETURNING version, (d.xmax = 0 OR EXISTS (SELECT 1 FROM old WHERE expires_at <= $3::int8))
