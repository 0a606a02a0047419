//! Row level security: the policy by which `PostgreSQL` itself keeps tenants apart.

/// Says whose rows a transaction reaches: a tenant's key, or [`EVERYONE`].
pub(in crate::storage) const SETTING: &str = "loggia.tenant";
/// The value for work of the gateway's own. No tenant's key.
pub(in crate::storage) const EVERYONE: &str = "*";

/// The gateway's own tables that hold what tenants have stored.
pub(in crate::storage) const OWN_TABLES: [&str; 3] =
    ["loggia_checkpoint", "loggia_checkpoint_chunk", "loggia_swept"];

/// Whether policies hold for connections that serve.
pub(in crate::storage) const IS_ACTIVE: &str =
    "SELECT row_security_active('loggia_checkpoint')::int";
/// What the operator is told where they do not.
pub(in crate::storage) const BYPASSED: &str = "storage.row_level_security would protect nothing: \
     the role of storage.url bypasses row level security, and may not make another one to serve \
     with. Give it CREATEROLE, or take BYPASSRLS from it";

/// The names of those of some tables that have no policy in force, or where `on` is false those
/// that have something of one.
pub(in crate::storage) fn to_change(on: bool) -> String {
    let (some, all) = (
        "c.relrowsecurity OR c.relforcerowsecurity OR",
        "c.relrowsecurity AND c.relforcerowsecurity AND",
    );
    let has = "EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'loggia_tenant')";
    let condition = if on { format!("NOT ({all} {has})") } else { format!("{some} {has}") };
    format!(
        "SELECT c.relname::text FROM pg_class AS c \
         WHERE c.relnamespace = current_schema()::regnamespace \
         AND c.relname = ANY($1::text[]) AND ({condition}) ORDER BY 1"
    )
}

/// Give a table its policy. FORCE holds its owner to it, too, who serves where there is no role
/// for that; what the server does by itself for foreign keys goes by no policy.
///
/// The setting is looked at once for each statement, not for each row. Where it is missing that
/// is an error and not an empty answer: a gateway without the switch must not take the documents
/// of all tenants to be gone.
pub(in crate::storage) fn enable(table: &str) -> Vec<String> {
    let condition = format!(
        "tenant = (SELECT nullif(current_setting('{SETTING}'), '{EVERYONE}')::int4) \
         OR (SELECT current_setting('{SETTING}') = '{EVERYONE}')"
    );
    vec![
        format!("DROP POLICY IF EXISTS loggia_tenant ON {table}"),
        format!(
            "CREATE POLICY loggia_tenant ON {table} USING ({condition}) WITH CHECK ({condition})"
        ),
        format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"),
    ]
}

/// Take a table's policy away.
pub(in crate::storage) fn disable(table: &str) -> Vec<String> {
    vec![
        format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"),
        format!("DROP POLICY IF EXISTS loggia_tenant ON {table}"),
    ]
}
