//! Statements that write: an update of members by expressions over the document as it was, and a
//! delete.
//!
//! What is set is a declared field, at the first of its paths; its column is set by the same
//! expression as the body's member, so both stay equal. A field whose place overlaps another's
//! cannot be set, since that one's column would have to follow.

use super::check::{Checked, Checker, Clause, all};
use super::documents::Documents;
use super::order::{Order, Sortable};
use super::parse;
use super::position::start;
use super::render::Renderer;
use super::scope::Scope;
use super::tree::{Body, Expression, Select};
use super::{Catalog, Dialect, Fault, Parameter, Rendered};
use crate::manifest::{DeleteDeclaration, FieldType, Locked, UpdateDeclaration};
use crate::storage::collection::{Collection, Field};
use crate::storage::field::MAX_TEXT_FIELD_BYTES;
use crate::storage::search::SearchIndex;

/// A checked `update` statement. Holds nothing of a tenant.
#[derive(Clone, Debug)]
pub struct Update {
    documents: Documents,
    order: Order,
    pub(super) members: Vec<Member>,
    pub(super) expiry: NewExpiry,
    pub(super) skips_locked: bool,
    /// Assignments that say under which declaration a row was written.
    pub(super) marks: String,
}

/// A field that is set.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) column: String,
    pub(super) field_type: FieldType,
    /// Whether it may be longer than an index takes.
    pub(super) is_long: bool,
    /// JSON Pointers: the first is set, the others are cleared where the value is NULL, or one of
    /// them would count instead.
    pub(super) paths: Vec<String>,
    pub(super) value: Expression,
}

/// What becomes of the time to live.
#[derive(Clone, Debug)]
pub(super) enum NewExpiry {
    Kept,
    Never,
    At(Expression),
}

/// A checked `delete` statement. Holds nothing of a tenant.
#[derive(Clone, Debug)]
pub struct Delete {
    documents: Documents,
    order: Order,
}

impl Update {
    /// Check an `update` statement against the plugin's collections.
    ///
    /// # Errors
    /// All faults that could be found.
    pub fn compile(
        declaration: &UpdateDeclaration,
        catalog: Catalog<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let mut checker = Checker::new(&declaration.name, catalog);
        match checker.update_statement(declaration) {
            Ok(update) if checker.faults.is_empty() => Ok(update),
            _ => Err(checker.faults),
        }
    }

    /// The collection that it changes.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.documents.collection()
    }

    pub(in crate::storage) fn probes(&self) -> Vec<(Vec<bool>, bool)> {
        self.documents.probes()
    }

    /// Its parameters, required ones first.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        self.documents.parameters()
    }

    /// On `PostgreSQL` the text that does it all: it gives the changed documents in the
    /// statement's order. On `SQLite`, where nothing comes between two statements of a
    /// transaction, it gives the ids that [`Self::render_change`] takes.
    #[must_use]
    pub fn render(&self, dialect: Dialect, given: &[bool]) -> Rendered {
        let conditions = self.documents.in_force(given);
        let renderer = Renderer::new(self.documents.selection(&conditions), dialect);
        match dialect {
            Dialect::Postgres => renderer.update_picked(self, &self.order),
            Dialect::Sqlite => renderer.picked_ids(&self.order),
        }
    }

    /// The text that changes the documents of some ids and gives them in no order. `SQLite` only.
    #[must_use]
    pub fn render_change(&self) -> Rendered {
        Renderer::new(self.documents.selection(&[]), Dialect::Sqlite).update_ids(self)
    }
}

impl Delete {
    /// Check a `delete` statement against the plugin's collections.
    ///
    /// # Errors
    /// All faults that could be found.
    pub fn compile(
        declaration: &DeleteDeclaration,
        catalog: Catalog<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let mut checker = Checker::new(&declaration.name, catalog);
        match checker.delete_statement(declaration) {
            Ok(delete) if checker.faults.is_empty() => Ok(delete),
            _ => Err(checker.faults),
        }
    }

    /// The collection that it deletes from.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.documents.collection()
    }

    pub(in crate::storage) fn probes(&self) -> Vec<(Vec<bool>, bool)> {
        self.documents.probes()
    }

    /// Its parameters, required ones first.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        self.documents.parameters()
    }

    /// On `PostgreSQL` the text that deletes the documents and gives a row for each. On `SQLite` it
    /// gives the ids that [`Self::render_change`] takes: a statement that deletes them at once
    /// would not give those that a reference among them has deleted before their turn.
    #[must_use]
    pub fn render(&self, dialect: Dialect, given: &[bool]) -> Rendered {
        let conditions = self.documents.in_force(given);
        let renderer = Renderer::new(self.documents.selection(&conditions), dialect);
        match dialect {
            Dialect::Postgres => renderer.delete_picked(&self.order),
            Dialect::Sqlite => renderer.picked_ids(&self.order),
        }
    }

    /// The text that deletes the documents of some ids. `SQLite` only.
    #[must_use]
    pub fn render_change(&self) -> Rendered {
        Renderer::new(self.documents.selection(&[]), Dialect::Sqlite).delete_ids()
    }
}

impl<'c> Checker<'c> {
    fn update_statement(&mut self, declaration: &UpdateDeclaration) -> Checked<Update> {
        self.begin("update".to_owned());
        let name = declaration.collection.as_str();
        let (collection, scope) = self.target(name)?;
        let members = declaration.members().map(|(field, text)| {
            self.begin(format!("set {field}"));
            self.member(collection, field, text, &scope)
        });
        let members = all(members.collect());
        let expiry = self.new_expiry(collection, declaration.expires.as_deref(), &scope);
        let order = self.taken_in(declaration.order(), &scope);
        let documents = self.documents(name, &declaration.conditions, &scope);
        Ok(Update {
            members: members?,
            expiry: expiry?,
            order: order?,
            documents: documents?,
            skips_locked: declaration.locked == Locked::Skip,
            marks: collection.set_marks(),
        })
    }

    fn delete_statement(&mut self, declaration: &DeleteDeclaration) -> Checked<Delete> {
        self.begin("delete".to_owned());
        let name = declaration.collection.as_str();
        let (_, scope) = self.target(name)?;
        let order = self.taken_in(declaration.order(), &scope);
        let documents = self.documents(name, &declaration.conditions, &scope);
        Ok(Delete { order: order?, documents: documents? })
    }

    fn member(
        &mut self,
        collection: &'c Collection,
        name: &str,
        text: &str,
        scope: &Scope<'_>,
    ) -> Checked<Member> {
        let Some(field) = collection.fields.iter().find(|field| field.name == name) else {
            return self.refuse_here(format!(
                "{name} is not a declared field of {}; only such can be set",
                collection.name
            ));
        };
        if let Some(other) = collection.fields.iter().find(|other| disturbs(field, other)) {
            return self.refuse_here(format!(
                "{name} cannot be set: its place in the body overlaps that of {}",
                other.name
            ));
        }
        if let Some(index) = collection.searches.iter().find(|index| searches(index, field)) {
            return self.refuse_here(format!(
                "{name} cannot be set: the search index {} is made of its words, which the \
                 gateway takes out of a whole document; put or merge it instead",
                index.name
            ));
        }
        if let Some(path) = field.paths.iter().skip(1).find(|path| has_number(path)) {
            return self.refuse_here(format!(
                "{name} cannot be set: its path {path} may lead into an array"
            ));
        }
        let value = self.set_value(text, field.field_type, scope)?;
        Ok(Member {
            column: field.column.clone(),
            field_type: field.field_type,
            is_long: field.max_bytes > MAX_TEXT_FIELD_BYTES,
            paths: field.paths.clone(),
            value,
        })
    }

    fn set_value(&mut self, text: &str, want: FieldType, scope: &Scope<'_>) -> Checked<Expression> {
        let expr = self.parsed(parse::expression(text))?;
        let typed = self.within(Clause::Set, |checker| checker.expression(&expr, scope))?;
        Ok(self.coerce(typed, want, start(&expr))?.expression)
    }

    fn new_expiry(
        &mut self,
        collection: &Collection,
        text: Option<&str>,
        scope: &Scope<'_>,
    ) -> Checked<NewExpiry> {
        self.begin("expires".to_owned());
        match text {
            None => Ok(NewExpiry::Kept),
            Some(_) if !collection.expires => self.refuse_here(format!(
                "documents of {} do not expire; declare \"expires\" in the collection",
                collection.name
            )),
            Some("never") => Ok(NewExpiry::Never),
            Some(text) => Ok(NewExpiry::At(self.set_value(text, FieldType::Timestamp, scope)?)),
        }
    }

    /// The order in which documents are taken, which is also that of their locks: where none is
    /// named, by id. Two calls in different orders would wait for each other.
    fn taken_in(&mut self, order: Option<(&str, &str)>, scope: &Scope<'static>) -> Checked<Order> {
        let sortable = Sortable::Rows { items: &[], scope };
        let mut body = Body { first: Select::default(), rest: Vec::new() };
        let tie_break = self.tie_break(&sortable, &mut body, Some(scope));
        let Some((name, text)) = order else {
            return Ok(tie_break.complete("", Vec::new()));
        };
        self.begin(format!("order {name}"));
        self.order(name, text, &sortable, &tie_break)
    }
}

/// Whether another field would have to be read again when this one is set.
fn disturbs(field: &Field, other: &Field) -> bool {
    // All of the field's paths, since the later ones may be cleared.
    let mut places = field.paths.iter();
    field.name != other.name
        && places.any(|place| other.paths.iter().any(|path| overlap(place, path)))
}

/// Whether a search index reads what is set.
fn searches(index: &SearchIndex, field: &Field) -> bool {
    let mut sources = index.sources.iter().flat_map(|source| &source.paths);
    sources.any(|path| field.paths.iter().any(|place| overlap(place, path)))
}

fn overlap(one: &str, two: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, two) || within(two, one)
}

fn has_number(path: &str) -> bool {
    let is_number = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
    path.split('/').skip(1).any(|token| !token.is_empty() && is_number(token))
}
