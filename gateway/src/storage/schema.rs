//! A plugin's collections and statements, compiled for the database at hand.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::collection::Collection;
use super::collection_sql::CollectionSql;
use super::ddl;
use super::error::Error;
use super::statement::{Bind, Dialect, Rendered, Shape, Statement};
use crate::json::PathSet;
use crate::manifest::Manifest;

/// What one plugin stores and asks. Made once when the plugin is loaded.
#[derive(Debug)]
pub struct Schema {
    /// The plugin's name.
    pub(super) plugin: String,
    /// Collections by name.
    pub(super) collections: HashMap<String, CollectionPlan>,
    /// Statements by name.
    pub(super) statements: HashMap<String, StatementPlan>,
}

/// A collection with everything that is worked out before the first request.
#[derive(Debug)]
pub(super) struct CollectionPlan {
    pub(super) collection: Collection,
    pub(super) sql: CollectionSql,
    /// Where its fields stand in a body.
    pub(super) paths: PathSet,
}

impl Schema {
    /// Compile a manifest.
    ///
    /// # Errors
    /// All faults of its collections and statements, each in a line.
    pub fn compile(manifest: &Manifest, dialect: Dialect) -> Result<Self, Vec<String>> {
        let mut faults = unique_names(manifest);
        let mut collections = Vec::new();
        for declaration in &manifest.collections {
            match Collection::new(&manifest.name, declaration) {
                Ok(collection) => collections.push(collection),
                Err(fault) => faults.push(fault),
            }
        }
        let mut statements = HashMap::new();
        for declaration in &manifest.statements {
            match Statement::compile(declaration, &collections) {
                Ok(statement) => {
                    let plan = StatementPlan::new(statement, dialect);
                    statements.insert(declaration.name.clone(), plan);
                }
                Err(found) => faults.extend(found.iter().map(ToString::to_string)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let collections = collections
            .into_iter()
            .map(|collection| (collection.name.clone(), CollectionPlan::new(collection, dialect)))
            .collect();
        Ok(Self { plugin: manifest.name.clone(), collections, statements })
    }

    /// The DDL that makes its tables where they do not exist.
    pub(super) fn ddl(&self, dialect: Dialect) -> Vec<String> {
        let plans = self.collections.values();
        plans.flat_map(|plan| ddl::create(&plan.collection, dialect)).collect()
    }

    pub(super) fn collection(&self, name: &str) -> Result<&CollectionPlan, Error> {
        self.collections
            .get(name)
            .ok_or_else(|| Error::UnknownName(format!("the collection {name}")))
    }

    pub(super) fn statement(&self, name: &str) -> Result<&StatementPlan, Error> {
        self.statements.get(name).ok_or_else(|| Error::UnknownName(format!("the statement {name}")))
    }
}

impl CollectionPlan {
    fn new(collection: Collection, dialect: Dialect) -> Self {
        let sql = CollectionSql::new(&collection, dialect);
        let paths = PathSet::new(collection.fields.iter().map(|field| field.paths.as_slice()));
        Self { collection, sql, paths }
    }
}

/// A statement with the texts that were rendered for it so far.
#[derive(Debug)]
pub(super) struct StatementPlan {
    pub(super) statement: Statement,
    dialect: Dialect,
    /// By what a text depends on: which parameters are given, the order, the page.
    texts: RwLock<HashMap<Shape, Arc<Text>>>,
    totals: RwLock<HashMap<Vec<bool>, Arc<Text>>>,
}

/// A rendered text as connections keep it prepared.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) sql: Arc<str>,
    pub(super) binds: Vec<Bind>,
}

impl From<Rendered> for Text {
    fn from(rendered: Rendered) -> Self {
        Self { sql: rendered.sql.into(), binds: rendered.binds }
    }
}

/// More texts of one statement than this are rendered each time.
const MAX_TEXTS: usize = 256;

impl StatementPlan {
    fn new(statement: Statement, dialect: Dialect) -> Self {
        Self { statement, dialect, texts: RwLock::default(), totals: RwLock::default() }
    }

    pub(super) fn render(&self, shape: &Shape) -> Arc<Text> {
        remember(&self.texts, shape, || self.statement.render(self.dialect, shape))
    }

    pub(super) fn render_total(&self, given: &[bool]) -> Arc<Text> {
        let key = given.to_vec();
        remember(&self.totals, &key, || self.statement.render_total(self.dialect, given))
    }
}

fn remember<K: Clone + Eq + std::hash::Hash>(
    texts: &RwLock<HashMap<K, Arc<Text>>>,
    key: &K,
    render: impl FnOnce() -> Rendered,
) -> Arc<Text> {
    if let Some(known) = texts.read().unwrap_or_else(PoisonError::into_inner).get(key) {
        return Arc::clone(known);
    }
    let text: Arc<Text> = Arc::new(render().into());
    let mut texts = texts.write().unwrap_or_else(PoisonError::into_inner);
    if texts.len() < MAX_TEXTS {
        texts.insert(key.clone(), Arc::clone(&text));
    }
    text
}

/// JSON Schema cannot say that names in a list differ.
fn unique_names(manifest: &Manifest) -> Vec<String> {
    let mut faults = repeated("collection", manifest.collections.iter().map(|c| c.name.as_str()));
    faults.extend(repeated("statement", manifest.statements.iter().map(|s| s.name.as_str())));
    for collection in &manifest.collections {
        let of = format!("index of {}", collection.name);
        faults.extend(repeated(&of, collection.indexes.iter().map(|index| index.name.as_str())));
    }
    faults
}

fn repeated<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names
        .filter(|name| !seen.insert(*name))
        .map(|name| format!("{kind} {name} is declared twice"))
        .collect()
}
