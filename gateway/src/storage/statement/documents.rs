//! Statements about the documents of one collection: what a `scope` is, and what an update and a
//! delete work on.
//!
//! The conditions name the collection's columns directly, and other collections of the plugin in
//! subqueries.

use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, Clause};
use super::from::columns;
use super::render::{Renderer, Selection};
use super::scope::Scope;
use super::tree::{Body, Expression, FromItem, Program, Relation, RelationId, Select, Source};
use super::{Catalog, Condition, Dialect, Fault, Parameter, Rendered, in_force, parse, probes};
use crate::manifest::{Conditions, ScopeDeclaration};
use crate::storage::collection::Collection;

/// The collection is the first relation of its statement.
pub(super) const TARGET: RelationId = 0;

/// The documents of one collection that conditions hold for. Holds nothing of a tenant.
#[derive(Clone, Debug)]
pub struct Documents {
    collection: String,
    parameters: Vec<Parameter>,
    program: Program,
    conditions: Vec<Condition>,
}

impl Documents {
    /// Check a `scope` statement against the plugin's collections.
    ///
    /// # Errors
    /// All faults that could be found.
    pub fn compile(
        declaration: &ScopeDeclaration,
        catalog: Catalog<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let mut checker = Checker::new(&declaration.name, catalog);
        match checker.scope_statement(declaration) {
            Ok(documents) if checker.faults.is_empty() => Ok(documents),
            _ => Err(checker.faults),
        }
    }

    /// The collection that the documents are of.
    #[must_use]
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Its parameters, required ones first.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The text that selects the documents, by the columns of their table. `given` says which
    /// parameters are, `before` how many parameters of the text around it are numbered before.
    #[must_use]
    pub fn render(&self, dialect: Dialect, given: &[bool], before: usize) -> Rendered {
        let conditions = self.in_force(given);
        Renderer::new(self.selection(&conditions), dialect).numbered_behind(before).documents()
    }

    /// Which parameters are given to show each optional condition, and whether the documents are
    /// filtered.
    pub(in crate::storage) fn probes(&self) -> Vec<(Vec<bool>, bool)> {
        let required: Vec<bool> = self.parameters.iter().map(|known| known.required).collect();
        let always = self.program.body.first.filter.is_some();
        let with_condition: Vec<_> = probes(&required, &self.conditions).collect();
        std::iter::once((required, always))
            .chain(with_condition.into_iter().map(|given| (given, true)))
            .collect()
    }

    pub(super) fn in_force(&self, given: &[bool]) -> Vec<&Expression> {
        in_force(&self.conditions, given)
    }

    pub(super) fn selection<'s>(&'s self, conditions: &'s [&'s Expression]) -> Selection<'s> {
        Selection { program: &self.program, conditions }
    }
}

impl<'c> Checker<'c> {
    fn scope_statement(&mut self, declaration: &ScopeDeclaration) -> Checked<Documents> {
        self.begin("scope".to_owned());
        let (_, scope) = self.target(&declaration.collection)?;
        self.documents(&declaration.collection, &declaration.conditions, &scope)
    }

    /// Make a collection the one that the statement is about, under its own name.
    pub(super) fn target(&mut self, name: &str) -> Checked<(&'c Collection, Scope<'static>)> {
        let collection = self.known_collection(name, Location { line: 1, column: 1 })?;
        let source =
            Source::Target { table: collection.table.clone(), expires: collection.expires };
        self.relations.push(Relation { source, columns: columns(collection) });
        let mut scope = Scope::new(None);
        scope.add(name.to_owned(), TARGET, false);
        Ok((collection, scope))
    }

    /// The condition that always holds, and those that may be left out.
    fn document_conditions(
        &mut self,
        conditions: &Conditions,
        scope: &Scope<'_>,
    ) -> Checked<(Option<Expression>, Vec<Condition>)> {
        match conditions {
            Conditions::Optional(texts) => {
                Ok((None, self.optional_conditions(texts, Some(scope))?))
            }
            Conditions::Always(text) => {
                self.begin("where".to_owned());
                let expr = self.parsed(parse::expression(text))?;
                let filter = self.within(Clause::Where, |check| check.condition(&expr, scope))?;
                Ok((Some(filter), Vec::new()))
            }
        }
    }

    /// Check the conditions, which come last: a parameter that only those have which may be left
    /// out is not required.
    pub(super) fn documents(
        &mut self,
        collection: &str,
        conditions: &Conditions,
        scope: &Scope<'_>,
    ) -> Checked<Documents> {
        let before = self.parameters.len();
        let (filter, conditions) = self.document_conditions(conditions, scope)?;
        let required = if filter.is_some() { self.parameters.len() } else { before };
        self.refuse_hidden_highlights(0)?;
        let parameters = self.typed_parameters(required)?;
        let from = vec![FromItem { relation: TARGET, join: None }];
        let program = Program {
            relations: std::mem::take(&mut self.relations),
            commons: Vec::new(),
            body: Body { first: Select { from, filter, ..Select::default() }, rest: Vec::new() },
            wrapped: None,
            width: 0,
            parameter_types: parameters.iter().map(|known| known.parameter_type).collect(),
        };
        Ok(Documents { collection: collection.to_owned(), parameters, program, conditions })
    }
}
