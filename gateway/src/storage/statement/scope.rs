//! Names: which relation and column an identifier stands for.

use sqlparser::ast::Ident;

use super::check::{Checked, Checker};
use super::tree::{Expression, RelationId};
use super::types::Typed;
use crate::storage::search::field_name;

/// The relations that a SELECT's expressions can name, and those of the query around it.
#[derive(Debug)]
pub(super) struct Scope<'o> {
    entries: Vec<Entry>,
    outer: Option<&'o Scope<'o>>,
}

#[derive(Debug)]
struct Entry {
    alias: String,
    relation: RelationId,
    /// A LEFT JOIN may leave it without a row.
    outer: bool,
}

impl<'o> Scope<'o> {
    pub(super) fn new(outer: Option<&'o Self>) -> Self {
        Self { entries: Vec::new(), outer }
    }

    /// Add a relation under its alias; false when the alias is taken.
    pub(super) fn add(&mut self, alias: String, relation: RelationId, outer: bool) -> bool {
        let free = self.entries.iter().all(|entry| entry.alias != alias);
        self.entries.push(Entry { alias, relation, outer });
        free
    }

    /// Whether a relation is this SELECT's own.
    pub(super) fn owns(&self, relation: RelationId) -> bool {
        self.entries.iter().any(|entry| entry.relation == relation)
    }

    fn matching<'s>(&'s self, alias: Option<&'s str>) -> impl Iterator<Item = &'s Entry> {
        self.entries.iter().filter(move |entry| alias.is_none_or(|alias| entry.alias == alias))
    }
}

/// A column that a name stands for.
#[derive(Clone, Copy, Debug)]
struct Found {
    relation: RelationId,
    place: usize,
    outer: bool,
}

impl Checker<'_> {
    /// The column that a name, or an alias and a name, stands for: of the innermost query that
    /// has one.
    pub(super) fn column(&mut self, path: &[Ident], scope: &Scope<'_>) -> Checked<Typed> {
        self.named("column", path, str::to_owned, scope)
    }

    /// The hidden column of the `search` index that a name, or an alias and a name, stands for.
    pub(super) fn search_index(&mut self, path: &[Ident], scope: &Scope<'_>) -> Checked<Typed> {
        self.named("search index", path, field_name, scope)
    }

    fn named(
        &mut self,
        what: &str,
        path: &[Ident],
        column_of: fn(&str) -> String,
        scope: &Scope<'_>,
    ) -> Checked<Typed> {
        let (alias, ident) = match path {
            [ident] => (None, ident),
            [alias, ident] => (Some(self.name(alias)?), ident),
            _ => return self.refuse_here(format!("a {what}'s name has at most two parts")),
        };
        let name = self.name(ident)?;
        let column = column_of(&name);
        let at = ident.span.start;
        let mut next = Some(scope);
        while let Some(scope) = next {
            match self.found(alias.as_deref(), &column, scope).as_slice() {
                [] => next = scope.outer,
                [found] => return Ok(self.use_column(*found)),
                _ => return self.refuse(at, format!("{name} is ambiguous; write alias.{name}")),
            }
        }
        match alias {
            None => self.refuse(at, format!("no {what} {name} here")),
            Some(alias) => self.refuse(at, format!("no {what} {alias}.{name} here")),
        }
    }

    /// Whether a name alone stands for a column of a SELECT's own relations.
    pub(super) fn has_column(&self, name: &str, scope: &Scope<'_>) -> bool {
        !self.found(None, name, scope).is_empty()
    }

    fn found(&self, alias: Option<&str>, name: &str, scope: &Scope<'_>) -> Vec<Found> {
        let found = scope.matching(alias).filter_map(|entry| {
            let columns = &self.relations[entry.relation].columns;
            let place = columns.iter().position(|column| column.name == name)?;
            Some(Found { relation: entry.relation, place, outer: entry.outer })
        });
        found.collect()
    }

    fn use_column(&mut self, found: Found) -> Typed {
        let column = &mut self.relations[found.relation].columns[found.place];
        column.used = true;
        Typed {
            expression: Expression::Column(found.relation, column.name.clone()),
            value_type: Some(column.column_type),
            nullable: column.nullable || found.outer,
        }
    }

    /// The ids of the documents that make up a row, where each relation is a collection.
    pub(super) fn ids(&mut self, scope: &Scope<'_>) -> Option<Vec<Typed>> {
        let ids = scope.entries.iter().map(|entry| {
            let columns = &self.relations[entry.relation].columns;
            let is_id = |column: &super::tree::RelationColumn| {
                column.physical.is_some() && column.name == "id"
            };
            let place = columns.iter().position(is_id)?;
            Some(Found { relation: entry.relation, place, outer: entry.outer })
        });
        let ids: Vec<Found> = ids.collect::<Option<_>>()?;
        Some(ids.into_iter().map(|found| self.use_column(found)).collect())
    }
}
