//! A `scope` statement of a manifest: a named set of one collection's documents.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::Tenant;
use super::document::Value;
use super::error::Error;
use super::schema::{Text, remember};
use super::select::bind_arguments;
use super::sql::{Query, SqlValue};
use super::statement::{Bind, Dialect, Documents, Parameter};
use super::words::{SearchQuery, Searched};

/// A scope with the texts that were rendered for it so far.
#[derive(Debug)]
pub(super) struct ScopePlan {
    documents: Documents,
    dialect: Dialect,
    texts: RwLock<Texts>,
}

/// By which parameters are given, and how many are numbered before.
type Texts = HashMap<(Vec<bool>, usize), Arc<Text>>;

impl ScopePlan {
    pub(super) fn new(documents: Documents, dialect: Dialect) -> Self {
        Self { documents, dialect, texts: RwLock::default() }
    }

    /// The name of the collection that its documents are of.
    pub(super) fn collection(&self) -> &str {
        self.documents.collection()
    }

    pub(super) fn parameters(&self) -> &[Parameter] {
        self.documents.parameters()
    }

    /// Its texts with each optional condition, and whether they filter.
    pub(super) fn probes(&self) -> Vec<(Arc<Text>, bool)> {
        let text = |given: &[bool]| Arc::new(self.documents.render(self.dialect, given, 0).into());
        let probes = self.documents.probes().into_iter();
        probes.map(|(given, filtered)| (text(&given), filtered)).collect()
    }

    /// The query that selects its documents, in no order, by `collection_sql::DOCUMENT_COLUMNS`.
    /// It may stand in the FROM clause of a text that has `before` parameters of its own, which
    /// are numbered before.
    ///
    /// # Errors
    /// An argument that is missing, unknown, given twice, or of another type.
    pub(super) fn query(
        &self,
        tenant: Tenant,
        now: i64,
        arguments: &[(String, Value)],
        before: usize,
    ) -> Result<Query, Error> {
        let arguments = bind_arguments(self.documents.parameters(), arguments)?;
        let given: Vec<bool> = arguments.iter().map(Option::is_some).collect();
        let key = (given, before);
        let text =
            remember(&self.texts, &key, || self.documents.render(self.dialect, &key.0, before));
        let searched = |place: usize| {
            let query = SearchQuery::of(arguments[place].as_ref());
            Searched { query, tenant: tenant.key(), dialect: self.dialect }
        };
        let value = |bind: &Bind| match *bind {
            Bind::Tenant => SqlValue::Integer(tenant.key()),
            Bind::Now => SqlValue::Integer(now),
            Bind::Parameter(place) => arguments[place].clone().unwrap_or(SqlValue::Null),
            Bind::AllWords(place) => searched(place).all(),
            Bind::AnyWord(place) => searched(place).any(),
            // A set of documents has no page.
            Bind::Key(_) | Bind::Limit | Bind::Offset | Bind::Ids => SqlValue::Null,
        };
        Ok(Query { sql: Arc::clone(&text.sql), binds: text.binds.iter().map(value).collect() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::{Duration, Instant};

    use super::super::transaction::{TransactionMode, Whose};
    use super::super::{
        Change, Expiry, Location, Otherwise, Precondition, SessionOptions, Storage,
    };
    use super::super::{Schema, Write};
    use super::*;
    use crate::manifest::{Manifest, Mode, TransactionIsolation};

    fn manifest() -> String {
        let manifest = json!({
            "name": "test", "version": "0.1.0", "summary": "s",
            "collections": [{"name": "node", "expires": true, "fields": {"network": "text"}}],
            "statements": [
                {"name": "of-network", "scope": "node", "where": "network = :network"},
                {"name": "some", "scope": "node", "where": ["network = :network", "id > :id"]},
                {"name": "every", "scope": "node"},
            ],
            "operations": [{"name": "o", "method": "GET", "path": "/o", "summary": "s"}],
        });
        manifest.to_string()
    }

    async fn put(
        storage: &Arc<Storage>,
        schema: &Arc<Schema>,
        tenant: Tenant,
        id: &str,
        body: &str,
    ) {
        let options = SessionOptions {
            mode: Mode::Write,
            isolation: TransactionIsolation::ReadCommitted,
            now: 5,
            deadline: Instant::now() + Duration::from_secs(10),
            document_bytes: 1_000,
            documents_read: 10,
            documents_written: 10,
        };
        let expiry = if id == "gone" { Expiry::At(10) } else { Expiry::Keep };
        let write = Write {
            collection: "node".to_owned(),
            id: id.to_owned(),
            change: Change::Put(body.to_owned()),
            condition: Precondition::Any,
            otherwise: Otherwise::Fail,
            expiry,
        };
        let mut session = storage.session(tenant, schema, options);
        session.apply(&[write]).await.expect("it is written");
        session.commit().await.expect("it is committed");
    }

    async fn ids(storage: &Storage, query: Query) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let query = Query {
            sql: format!("SELECT s.id FROM ({}) AS s ORDER BY 1", query.sql).into(),
            ..query
        };
        let mut transaction = storage.transaction(Whose::Everyone, TransactionMode::Read);
        let rows = transaction.run(query, deadline).await.expect("it runs");
        rows.values.into_iter().filter_map(SqlValue::into_text).collect()
    }

    #[tokio::test]
    async fn a_scope_holds_the_tenants_documents_that_it_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::Sqlite(folder.path().join("data.db"));
        let storage = Storage::open(&location).await.expect("it opens");
        let text = manifest();
        let parsed = Manifest::parse(&text).expect("it is a manifest");
        let schema = storage.install(&parsed, &text).await.expect("it is installed");
        let (one, two) = (storage.tenant("one").await, storage.tenant("two").await);
        let (one, two) = (one.expect("a tenant"), two.expect("a tenant"));
        for (tenant, id, network) in
            [(one, "a", "x"), (one, "b", "x"), (one, "c", "y"), (one, "gone", "x"), (two, "d", "x")]
        {
            put(&storage, &schema, tenant, id, &json!({"network": network}).to_string()).await;
        }
        let text = |value: &str| Value::Text(value.to_owned());
        let network = ("network".to_owned(), text("x"));
        let after = ("id".to_owned(), text("a"));
        for (name, arguments, expected) in [
            ("of-network", vec![network.clone()], vec!["a", "b"]),
            ("every", vec![], vec!["a", "b", "c"]),
            ("some", vec![], vec!["a", "b", "c"]),
            ("some", vec![after.clone()], vec!["b", "c"]),
            ("some", vec![after, network], vec!["b"]),
        ] {
            let scope = schema.scope(name).expect("it is declared");
            assert_eq!(scope.collection(), "node");
            let query = scope.query(one, 10, &arguments, 0).expect("the arguments are right");
            assert_eq!(ids(&storage, query).await, expected, "{name}");
        }
        let scope = schema.scope("of-network").expect("it is declared");
        let missing = scope.query(one, 10, &[], 0).expect_err("it needs a parameter");
        assert!(matches!(missing, Error::Invalid(fault) if fault.code == "missing-parameter"));
        assert!(matches!(schema.scope("other"), Err(Error::UnknownName(_))));
    }
}
