//! FROM: the only place where a statement can name something that holds rows.

use sqlparser::ast::{
    self, Ident, JoinConstraint, JoinOperator, ObjectNamePart, TableAlias, TableFactor,
    TableWithJoins,
};
use sqlparser::tokenizer::Location;

use super::CHECKPOINT;
use super::check::{Checked, Checker, Clause, all};
use super::query::Names;
use super::scope::Scope;
use super::tree::{FromItem, Join, ROW_ID, Relation, RelationColumn, RelationId, Source};
use crate::manifest::FieldType;
use crate::storage::collection::{BUILT_IN_COLUMNS, Collection};
use crate::storage::count::Count;

/// `SQLite` joins up to 64, also those that it has pulled out of sub-selects.
const MAX_RELATIONS: usize = 60;

const ONLY: &str = "FROM takes collections of this plugin and queries only";

/// The columns that every document has a value in.
const NEVER_NULL: [&str; 5] = ["id", "_version", "_created_at", "_updated_at", "_body"];

impl<'c> Checker<'c> {
    /// The relations of a FROM clause, put into the scope one after another, so that the
    /// condition of a join sees those to its left.
    pub(super) fn from(
        &mut self,
        from: &[TableWithJoins],
        scope: &mut Scope<'_>,
    ) -> Checked<Vec<FromItem>> {
        let TableWithJoins { relation, joins } = match from {
            [] => return Ok(Vec::new()),
            [one] => one,
            _ => return self.refuse_here("write JOIN … ON instead of a comma in FROM"),
        };
        let first = FromItem { relation: self.factor(relation, false, scope)?, join: None };
        let mut from = vec![Ok(first)];
        for join in joins {
            from.push(self.join(join, scope));
        }
        all(from)
    }

    fn join(&mut self, join: &ast::Join, scope: &mut Scope<'_>) -> Checked<FromItem> {
        let ast::Join { relation, global, join_operator } = join;
        let (outer, constraint) = match join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (false, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                (true, constraint)
            }
            _ => return self.refuse_here("only JOIN and LEFT JOIN are allowed"),
        };
        let relation = self.factor(relation, outer, scope)?;
        match constraint {
            JoinConstraint::On(on) if !global => {
                let on = self.within(Clause::On, |checker| checker.condition(on, scope))?;
                Ok(FromItem { relation, join: Some(Join { outer, on }) })
            }
            _ => self.refuse_here("a join needs ON and a condition"),
        }
    }

    /// A collection or a query, under its alias. `outer` when a LEFT JOIN may leave it empty.
    fn factor(
        &mut self,
        factor: &TableFactor,
        outer: bool,
        scope: &mut Scope<'_>,
    ) -> Checked<RelationId> {
        let (relation, alias, at) = match factor {
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } => {
                let alias = self.alias(alias)?;
                let body = self.subquery(subquery, None, Names::Needed)?;
                let items = body.first.items.clone();
                let relation = self.offer(Source::Derived(Box::new(body)), &items, &[])?;
                (relation, alias, Location::empty())
            }
            TableFactor::Derived { lateral: false, alias: None, .. } => {
                return self.refuse_here("a query in FROM needs a name: add AS and one");
            }
            _ => {
                let (ident, alias) = self.named_factor(factor)?;
                let name = self.name(ident)?;
                let alias = alias.map(|alias| self.alias(alias)).transpose()?;
                let relation = self.named_relation(&name, ident.span.start)?;
                (relation, alias.unwrap_or(name), ident.span.start)
            }
        };
        let id = self.relations.len();
        self.at_most(MAX_RELATIONS, id + 1, "collections and queries in FROM clauses")?;
        self.note_recursion(&relation.source, id);
        self.relations.push(relation);
        if scope.add(alias.clone(), id, outer) {
            Ok(id)
        } else {
            self.refuse(at, format!("{alias} is named twice in FROM"))
        }
    }

    fn note_recursion(&mut self, source: &Source, id: RelationId) {
        if let Source::Recursion(place) = source
            && let Some(references) = &mut self.commons[*place].self_references
        {
            references.push(id);
        }
    }

    fn named_factor<'q>(
        &mut self,
        factor: &'q TableFactor,
    ) -> Checked<(&'q Ident, Option<&'q TableAlias>)> {
        if let TableFactor::Table { name, .. } = factor
            && let Some(ObjectNamePart::Identifier(ident)) = name.0.first()
        {
            self.touch(ident.span.start);
        }
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } = factor
        else {
            return self.refuse_here(ONLY);
        };
        match name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)]
                if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() =>
            {
                Ok((ident, alias.as_ref()))
            }
            [ObjectNamePart::Identifier(first), _, ..] => {
                self.refuse(first.span.start, "a collection's name has one part")
            }
            _ => self.refuse_here(ONLY),
        }
    }

    fn alias(&mut self, alias: &TableAlias) -> Checked<String> {
        let TableAlias { explicit: _, name, columns, at } = alias;
        if !columns.is_empty() || at.is_some() {
            return self.refuse(name.span.start, "a list of columns is not allowed here");
        }
        self.name(name)
    }

    /// A query of the WITH clause or a collection. No other name leads to a table.
    fn named_relation(&mut self, name: &str, at: Location) -> Checked<Relation> {
        if let Some(common) = self.commons.iter().find(|known| known.name == name) {
            return Ok(common.offer.clone());
        }
        if name == CHECKPOINT && !self.catalog.plugin.is_empty() {
            return Ok(checkpoint_relation(self.catalog.plugin));
        }
        let counts = self.catalog.counts.iter();
        let count = name
            .strip_prefix("count_")
            .and_then(|name| counts.into_iter().find(|known| known.name == name));
        if let Some(count) = count {
            return Ok(count_relation(count));
        }
        let collection = self.known_collection(name, at)?;
        let source =
            Source::Collection { table: collection.table.clone(), expires: collection.expires };
        Ok(Relation { source, columns: columns(collection) })
    }

    pub(super) fn known_collection(&mut self, name: &str, at: Location) -> Checked<&'c Collection> {
        let Some(collection) = self.catalog.collections.iter().find(|known| known.name == name)
        else {
            return self.refuse(at, format!("{name} is not a collection of this plugin"));
        };
        if !self.reads.iter().any(|known| known == name) {
            self.reads.push(name.to_owned());
        }
        Ok(collection)
    }
}

fn checkpoint_relation(plugin: &str) -> Relation {
    let columns = CHECKPOINT_COLUMNS.map(|(name, column_type)| RelationColumn {
        name: name.to_owned(),
        physical: Some(name.to_owned()),
        column_type,
        nullable: false,
        used: false,
        side_table: None,
    });
    Relation { source: Source::Checkpoints(plugin.to_owned()), columns: columns.into() }
}

/// What a statement can know of a checkpoint.
const CHECKPOINT_COLUMNS: [(&str, FieldType); 7] = [
    ("id", FieldType::Text),
    ("subject", FieldType::Text),
    ("label", FieldType::Text),
    ("metadata", FieldType::Json),
    ("created_at", FieldType::Timestamp),
    ("documents", FieldType::Integer),
    ("bytes", FieldType::Integer),
];

/// The columns of a count: what it counts by, `documents`, and its sums.
fn count_relation(count: &Count) -> Relation {
    let column = |name: String, column_type, nullable| RelationColumn {
        name,
        physical: None,
        column_type,
        nullable,
        used: false,
        side_table: None,
    };
    let by = count.by.iter().map(|(name, _, by_type)| column(name.clone(), *by_type, true));
    let documents = column("documents".to_owned(), FieldType::Integer, false);
    let sums = count.shown_sums().map(|(name, _)| column(name, FieldType::Integer, false));
    let columns = by.chain([documents]).chain(sums).collect();
    Relation { source: Source::Count(Box::new(count.clone())), columns }
}

/// Every name that a statement can know of a collection, and no other.
pub(super) fn columns(collection: &Collection) -> Vec<RelationColumn> {
    let built_in = BUILT_IN_COLUMNS.iter().map(|(name, ..)| *name);
    let declared = collection.fields.iter().map(|field| field.name.as_str());
    let columns = built_in.chain(declared).filter_map(|name| {
        let (physical, column_type) = collection.column(name)?;
        Some(RelationColumn {
            name: name.to_owned(),
            physical: Some(physical.to_owned()),
            column_type,
            nullable: !NEVER_NULL.contains(&name) && column_type != FieldType::Words,
            used: false,
            side_table: side_table(collection, physical),
        })
    });
    columns.chain([row_id()]).collect()
}

fn side_table(collection: &Collection, column: &str) -> Option<String> {
    let lists = collection.contains.iter().filter(|index| index.field_type == FieldType::Texts);
    let mut tables = lists
        .map(|index| (&index.column, &index.physical_name))
        .chain(collection.searches.iter().map(|index| (&index.column, &index.physical_name)));
    let (_, table) = tables.find(|(of, _)| *of == column)?;
    Some(table.clone())
}

fn row_id() -> RelationColumn {
    RelationColumn {
        name: ROW_ID.to_owned(),
        physical: Some("rid".to_owned()),
        column_type: FieldType::Integer,
        nullable: false,
        used: false,
        side_table: None,
    }
}
