//! A plugin's collections and statements, compiled for the database at hand.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::changes::ChangeSet;
use super::collection::Collection;
use super::collection_sql::CollectionSql;
use super::count::{Count, StoredLimit};
use super::document_schema::DocumentSchema;
use super::error::Error;
use super::reference;
use super::scope::ScopePlan;
use super::sql::SqlValue;
use super::statement::{
    Bind, CHECKPOINT, Catalog, Delete, Dialect, Documents, Fault, Parameter, Rendered, Shape,
    Statement, Update, Wall,
};
use super::sweep::SweepSql;
use super::transaction::Planned;
use super::update::ChangePlan;
use crate::json::PathSet;
use crate::manifest::{FieldType, Locked, Manifest, StatementDeclaration};

/// What one plugin stores and asks. Made once when the plugin is loaded.
#[derive(Debug)]
pub struct Schema {
    /// The plugin's name.
    pub(super) plugin: String,
    /// Collections by name.
    pub(super) collections: HashMap<String, CollectionPlan>,
    /// What is counted.
    pub(super) counts: Vec<Count>,
    /// `select` statements by name.
    pub(super) statements: HashMap<String, StatementPlan>,
    /// `scope` statements by name.
    scopes: HashMap<String, ScopePlan>,
    /// `update` statements by name.
    updates: HashMap<String, ChangePlan>,
    /// `delete` statements by name.
    deletes: HashMap<String, ChangePlan>,
    /// What the operator should know of it, found when it was installed.
    pub(super) warnings: Vec<String>,
}

/// A collection with everything that is worked out before the first request.
#[derive(Debug)]
pub(super) struct CollectionPlan {
    pub(super) collection: Collection,
    pub(super) sql: CollectionSql,
    pub(super) sweep: SweepSql,
    pub(super) dialect: Dialect,
    /// Where its fields stand in a body, and behind them the sources of its `search` indexes.
    pub(super) paths: PathSet,
    /// What bodies must satisfy.
    pub(super) schema: Option<DocumentSchema>,
    /// Its place among the collections: those that others refer to come first.
    pub(super) rank: usize,
    /// What a write to it changes: itself, and what a delete takes with it.
    pub(super) changes: ChangeSet,
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
        let due = manifest.schedules.iter().filter_map(|schedule| schedule.due.as_ref());
        for due in due {
            let collection = collections.iter_mut().find(|known| known.name == due.collection);
            collection.into_iter().for_each(|collection| collection.make_due(&due.field));
        }
        let references: Vec<_> = manifest
            .collections
            .iter()
            .map(|declaration| (declaration.name.clone(), declaration.references.as_slice()))
            .collect();
        faults.extend(reference::resolve(&mut collections, &references));
        let mut schemas = document_schemas(manifest, &mut faults);
        let mut statements = Statements::default();
        let counts = counts(manifest, &mut collections, &mut faults);
        let catalog =
            Catalog { collections: &collections, counts: &counts, plugin: &manifest.name };
        for declaration in &manifest.statements {
            if let Err(found) = statements.compile(declaration, catalog, dialect) {
                faults.extend(found.iter().map(ToString::to_string));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let ranks = reference::ranks(&collections);
        let mut changes = changes(&collections, &ranks);
        let plans = collections.into_iter().map(|collection| {
            let name = collection.name.clone();
            let (schema, rank) = (schemas.remove(&name), ranks[&name]);
            let changes = changes.remove(&name).unwrap_or_default();
            (
                name,
                CollectionPlan {
                    rank,
                    changes,
                    ..CollectionPlan::new(collection, dialect, schema)
                },
            )
        });
        let collections = plans.collect();
        let Statements { selects, scopes, updates, deletes } = statements;
        let plugin = manifest.name.clone();
        let (statements, warnings) = (selects, Vec::new());
        Ok(Self { plugin, counts, collections, statements, scopes, updates, deletes, warnings })
    }

    /// What the operator should know: statements that no index serves.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the database is sent for each statement: its name, and a text for each order and each
    /// optional condition alone.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, String)> {
        let mut texts: Vec<(String, String)> = Vec::new();
        for probe in self.probes() {
            let text = (probe.statement, probe.text.sql.to_string());
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    /// All statements with each of their optional conditions, in the order of their names.
    pub(super) fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        for (name, plan) in &self.statements {
            for (shape, filtered) in plan.statement.probes() {
                let text = plan.render(&shape);
                probes.push(Probe::new(name, text, plan.statement.parameters(), filtered));
            }
        }
        for (name, plan) in &self.scopes {
            let texts = plan.probes().into_iter();
            probes.extend(texts.map(|(text, f)| Probe::new(name, text, plan.parameters(), f)));
        }
        for (name, plan) in self.updates.iter().chain(&self.deletes) {
            let texts = plan.probes().into_iter();
            probes.extend(texts.map(|(text, f)| Probe::new(name, text, plan.parameters(), f)));
        }
        probes.sort_by(|one, other| one.statement.cmp(&other.statement));
        probes
    }

    /// Keep the numbers of documents and bytes of each collection as well.
    pub(super) fn keep_statistics(&mut self) {
        let mut stored: Vec<Count> = self
            .collections
            .values()
            .map(|plan| Count::stored(&self.plugin, &plan.collection))
            .collect();
        stored.sort_by(|a, b| a.table.cmp(&b.table));
        self.counts.extend(stored);
    }

    /// Count what a tenant stores, for limits that an operator sets.
    pub(super) fn limit_stored(&mut self, limits: &[StoredLimit]) {
        let mut collections: Vec<_> =
            self.collections.values().map(|plan| &plan.collection).collect();
        collections.sort_by(|a, b| a.table.cmp(&b.table));
        let counts = limits.iter().map(|limit| Count::limited(&self.plugin, &collections, *limit));
        self.counts.extend(counts);
    }

    pub(super) fn collection(&self, name: &str) -> Result<&CollectionPlan, Error> {
        self.collections
            .get(name)
            .ok_or_else(|| Error::UnknownName(format!("the collection {name}")))
    }

    pub(super) fn statement(&self, name: &str) -> Result<&StatementPlan, Error> {
        self.statements.get(name).ok_or_else(|| Error::UnknownName(format!("the statement {name}")))
    }

    pub(super) fn scope(&self, name: &str) -> Result<&ScopePlan, Error> {
        self.scopes.get(name).ok_or_else(|| Error::UnknownName(format!("the scope {name}")))
    }

    pub(super) fn update(&self, name: &str) -> Result<&ChangePlan, Error> {
        let update = self.updates.get(name);
        update.ok_or_else(|| Error::UnknownName(format!("the update statement {name}")))
    }

    pub(super) fn delete(&self, name: &str) -> Result<&ChangePlan, Error> {
        let delete = self.deletes.get(name);
        delete.ok_or_else(|| Error::UnknownName(format!("the delete statement {name}")))
    }
}

/// Statements of each kind by name, as far as they are compiled.
#[derive(Debug, Default)]
struct Statements {
    selects: HashMap<String, StatementPlan>,
    scopes: HashMap<String, ScopePlan>,
    updates: HashMap<String, ChangePlan>,
    deletes: HashMap<String, ChangePlan>,
}

impl Statements {
    fn compile(
        &mut self,
        declaration: &StatementDeclaration,
        catalog: Catalog<'_>,
        dialect: Dialect,
    ) -> Result<(), Vec<Fault>> {
        let name = declaration.name().to_owned();
        match declaration {
            StatementDeclaration::Select(select) => {
                let statement = Statement::compile(select, catalog)?;
                self.selects.insert(
                    name,
                    StatementPlan::new(statement, dialect, Planned::query(select.plan)),
                );
            }
            StatementDeclaration::Scope(scope) => {
                let documents = Documents::compile(scope, catalog)?;
                self.scopes.insert(name, ScopePlan::new(documents, dialect));
            }
            StatementDeclaration::Update(update) => {
                let planned = match update.locked {
                    Locked::Skip => Planned::Once,
                    Locked::Wait => Planned::change(update.plan),
                };
                let update = Update::compile(update, catalog)?;
                self.updates.insert(name, ChangePlan::update(update, dialect, planned));
            }
            StatementDeclaration::Delete(delete) => {
                let planned = Planned::change(delete.plan);
                let delete = Delete::compile(delete, catalog)?;
                self.deletes.insert(name, ChangePlan::delete(delete, dialect, planned));
            }
        }
        Ok(())
    }
}

impl CollectionPlan {
    fn new(collection: Collection, dialect: Dialect, schema: Option<DocumentSchema>) -> Self {
        let sql = CollectionSql::new(&collection, dialect);
        let sweep = SweepSql::new(&collection, dialect);
        let fields = collection.fields.iter().map(|field| field.paths.as_slice());
        let sources = collection.searches.iter().flat_map(|index| &index.sources);
        let paths = PathSet::new(fields.chain(sources.map(|source| source.paths.as_slice())));
        let (rank, changes) = (0, ChangeSet::default());
        Self { collection, dialect, sql, sweep, paths, schema, rank, changes }
    }
}

/// A statement with the texts that were rendered for it so far.
#[derive(Debug)]
pub(super) struct StatementPlan {
    pub(super) statement: Statement,
    pub(super) dialect: Dialect,
    pub(super) planned: Planned,
    /// By what a text depends on: which parameters are given, the order, the page.
    texts: RwLock<HashMap<Shape, Arc<Text>>>,
    totals: RwLock<HashMap<Vec<bool>, Arc<Text>>>,
}

/// A text to be planned, with values of the right types.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) statement: String,
    pub(super) text: Arc<Text>,
    pub(super) values: Vec<SqlValue>,
    /// Whether it asks for some of the documents only.
    pub(super) filtered: bool,
}

impl Probe {
    fn new(statement: &str, text: Arc<Text>, parameters: &[Parameter], filtered: bool) -> Self {
        let value = |bind: &Bind| match *bind {
            Bind::Parameter(place) => sample(parameters[place].parameter_type),
            Bind::Ids => SqlValue::Texts(vec!["x".to_owned()]),
            Bind::AllWords(_) | Bind::AnyWord(_) => SqlValue::Text("x".to_owned()),
            Bind::Key(_) => SqlValue::Null,
            // As if all were wanted: for few, a planner may go by the order alone.
            Bind::Limit => SqlValue::Integer(100_000),
            Bind::Tenant | Bind::Now | Bind::Offset => SqlValue::Integer(1),
        };
        let values = text.binds.iter().map(value).collect();
        Self { statement: statement.to_owned(), text, values, filtered }
    }
}

/// A value of a type. NULL would let the planner leave out the condition that it stands in.
fn sample(value_type: FieldType) -> SqlValue {
    match value_type {
        FieldType::Text | FieldType::Words => SqlValue::Text("x".to_owned()),
        FieldType::Integer | FieldType::Timestamp => SqlValue::Integer(1),
        FieldType::Number => SqlValue::Number(1.5),
        FieldType::Boolean => SqlValue::Boolean(true),
        FieldType::Texts => SqlValue::Texts(vec!["x".to_owned()]),
        FieldType::Json => SqlValue::Json("{}".to_owned()),
    }
}

/// A rendered text as connections keep it prepared.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) sql: Arc<str>,
    pub(super) binds: Vec<Bind>,
    pub(super) wall: Arc<Wall>,
}

impl From<Rendered> for Text {
    fn from(rendered: Rendered) -> Self {
        let Rendered { sql, binds, wall } = rendered;
        Self { sql: sql.into(), binds, wall: Arc::new(wall) }
    }
}

/// More texts of one statement than this are rendered each time.
const MAX_TEXTS: usize = 256;

impl StatementPlan {
    fn new(statement: Statement, dialect: Dialect, planned: Planned) -> Self {
        Self { statement, dialect, planned, texts: RwLock::default(), totals: RwLock::default() }
    }

    pub(super) fn render(&self, shape: &Shape) -> Arc<Text> {
        remember(&self.texts, shape, || self.statement.render(self.dialect, shape))
    }

    pub(super) fn render_total(&self, given: &[bool]) -> Arc<Text> {
        let key = given.to_vec();
        remember(&self.totals, &key, || self.statement.render_total(self.dialect, given))
    }
}

/// The text for a key, rendered when it is first asked for.
pub(super) fn remember<K: Clone + Eq + std::hash::Hash>(
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

fn counts(
    manifest: &Manifest,
    collections: &mut [Collection],
    faults: &mut Vec<String>,
) -> Vec<Count> {
    let mut counts = Vec::new();
    for declaration in &manifest.counts {
        match Count::new(&manifest.name, declaration, collections) {
            Ok(count) => counts.push(count),
            Err(fault) => faults.push(fault),
        }
        let counted = |collection: &&mut Collection| {
            declaration.limit.is_some() && declaration.collections.contains(&collection.name)
        };
        for collection in collections.iter_mut().filter(counted) {
            collection.limited = true;
        }
    }
    counts
}

/// What a write to each collection changes.
fn changes(
    collections: &[Collection],
    ranks: &HashMap<String, usize>,
) -> HashMap<String, ChangeSet> {
    let mut changes: HashMap<String, ChangeSet> =
        ranks.iter().map(|(name, rank)| (name.clone(), ChangeSet::one(*rank))).collect();
    for taken in collections {
        for taker in reference::deleted_with(collections, taken) {
            changes.entry(taker).or_default().join(ChangeSet::one(ranks[&taken.name]));
        }
    }
    changes
}

fn document_schemas(
    manifest: &Manifest,
    faults: &mut Vec<String>,
) -> HashMap<String, DocumentSchema> {
    let mut schemas = HashMap::new();
    for declaration in &manifest.collections {
        let Some(schema) = &declaration.schema else { continue };
        match DocumentSchema::compile(&declaration.name, schema) {
            Ok(schema) => drop(schemas.insert(declaration.name.clone(), schema)),
            Err(fault) => faults.push(fault),
        }
    }
    schemas
}

/// JSON Schema cannot say that names in a list differ.
fn unique_names(manifest: &Manifest) -> Vec<String> {
    // In statements, counts and checkpoints stand where collections do.
    let mut counts: Vec<String> =
        manifest.counts.iter().map(|c| format!("count_{}", c.name)).collect();
    counts.push(CHECKPOINT.to_owned());
    let collections = manifest.collections.iter().map(|c| c.name.as_str());
    let mut faults = repeated("collection", collections.chain(counts.iter().map(String::as_str)));
    faults
        .extend(repeated("statement", manifest.statements.iter().map(StatementDeclaration::name)));
    for collection in &manifest.collections {
        let of = format!("index of {}", collection.name);
        faults.extend(repeated(&of, collection.indexes.iter().map(|index| index.name.as_str())));
        let of = format!("reference of {}", collection.name);
        faults.extend(repeated(&of, collection.references.iter().map(|r| r.name.as_str())));
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
