//! Queries as text, down to the tables.

use std::fmt::Write as _;

use super::render::Renderer;
use super::side_table::Access;
use super::tree::{
    Body, Common, Expression, FromItem, Grouping, ROW_ID, Relation, RelationColumn, RelationId,
    Select, Source,
};
use super::{Bind, Dialect};
use crate::manifest::FieldType;

/// How many rows a recursive query makes at most. It keeps one that never ends from filling the
/// memory before the statement's time is over.
const MAX_RECURSIVE_ROWS: u32 = 100_000;

impl Renderer<'_> {
    /// The WITH clause.
    pub(super) fn with(&mut self) {
        let commons = self.program().commons.clone();
        if commons.is_empty() {
            return;
        }
        let recursive = commons.iter().any(|common| common.recursive);
        self.push(if recursive { "WITH RECURSIVE " } else { "WITH " });
        self.list(commons.len(), |renderer, place| renderer.common(place, &commons[place]));
        self.push(" ");
    }

    fn common(&mut self, place: usize, common: &Common) {
        let _ = write!(self.sql_mut(), "\"c{place}\" (");
        self.list(common.columns.len(), |renderer, column| {
            renderer.identifier(&common.columns[column]);
        });
        self.push(") AS (");
        self.body(&common.body, &[]);
        // PostgreSQL has no LIMIT here, but does not make more rows than it is asked for: there
        // the limit stands where the query is named.
        if common.recursive && self.dialect() == Dialect::Sqlite {
            let _ = write!(self.sql_mut(), " LIMIT {MAX_RECURSIVE_ROWS}");
        }
        self.push(")");
    }

    /// SELECTs and what unites them. The conditions are added to the first.
    pub(super) fn body(&mut self, body: &Body, conditions: &[&Expression]) {
        self.select(&body.first, conditions);
        for (keeps, select) in &body.rest {
            self.push(if *keeps { " UNION ALL " } else { " UNION " });
            self.select(select, &[]);
        }
    }

    fn select(&mut self, select: &Select, conditions: &[&Expression]) {
        self.push("SELECT ");
        self.list(select.items.len(), |renderer, place| {
            renderer.expression(&select.items[place].expression);
            renderer.push(" AS ");
            renderer.identifier(&select.items[place].name);
        });
        self.sources(select, conditions);
        if let Grouping::By(terms) = &select.grouping {
            self.push(" GROUP BY ");
            self.list(terms.len(), |renderer, place| {
                renderer.sorting_term(&terms[place].expression);
            });
        }
        if let Some(having) = &select.having {
            self.push(" HAVING ");
            self.expression(having);
        }
    }

    /// FROM and WHERE.
    pub(super) fn sources(&mut self, select: &Select, conditions: &[&Expression]) {
        let all: Vec<&Expression> =
            select.filter.iter().chain(conditions.iter().copied()).collect();
        let joins = select.from.iter().filter_map(|from| from.join.as_ref());
        let inner = joins.filter(|join| !join.outer).map(|join| &join.on);
        self.note_driven(all.iter().copied().chain(inner));
        for (place, from) in select.from.iter().enumerate() {
            self.source(place == 0, from);
        }
        if !all.is_empty() {
            self.push(" WHERE ");
            for (place, condition) in all.into_iter().enumerate() {
                self.push(if place == 0 { "" } else { " AND " });
                self.filter(condition);
            }
        }
    }

    fn source(&mut self, first: bool, from: &FromItem) {
        self.push(match &from.join {
            _ if first => " FROM ",
            Some(join) if join.outer => " LEFT JOIN ",
            _ => " JOIN ",
        });
        self.relation(from.relation);
        if let Some(join) = &from.join {
            self.push(" ON ");
            self.filter(&join.on);
        }
    }

    /// A relation under its alias.
    fn relation(&mut self, id: RelationId) {
        let Relation { source, columns } = self.program().relations[id].clone();
        match source {
            Source::Collection { table, expires } => {
                self.collection(id, &table, expires, &columns);
            }
            Source::Checkpoints(plugin) => self.checkpoints(&plugin, &columns),
            Source::Count(count) => self.count(&count),
            Source::Common(place) => self.named(place),
            Source::Recursion(place) => {
                let _ = write!(self.sql_mut(), "\"c{place}\"");
            }
            Source::Derived(body) => {
                self.push("(");
                self.body(&body, &[]);
                self.push(")");
            }
            // They stand around all others, never among them.
            Source::Result | Source::Target { .. } => {}
        }
        let _ = write!(self.sql_mut(), " AS \"t{id}\"");
    }

    fn named(&mut self, place: usize) {
        let recursive = self.program().commons[place].recursive;
        let _ = match (recursive, self.dialect()) {
            (true, Dialect::Postgres) => {
                write!(self.sql_mut(), "(SELECT * FROM \"c{place}\" LIMIT {MAX_RECURSIVE_ROWS})")
            }
            _ => write!(self.sql_mut(), "\"c{place}\""),
        };
    }

    /// The rows of a collection that exist for the tenant: the wall between tenants. There is no
    /// other way from a statement to a table.
    fn collection(
        &mut self,
        id: RelationId,
        table: &str,
        expires: bool,
        columns: &[RelationColumn],
    ) {
        let here = |column: &&RelationColumn| {
            column.used && (self.dialect() == Dialect::Sqlite || column.name != ROW_ID)
        };
        let used = columns.iter().filter(here);
        let used: Vec<_> = used
            .filter_map(|column| Some((column.physical.as_deref()?, column.name.as_str())))
            .collect();
        self.push("(SELECT ");
        if used.is_empty() {
            self.push("1 AS \"#\"");
        }
        self.list(used.len(), |renderer, place| {
            renderer.push("\"d\".");
            renderer.identifier(used[place].0);
            renderer.push(" AS ");
            renderer.identifier(used[place].1);
        });
        self.push(" FROM ");
        let access = self.access(id);
        self.visible_rows(table, expires, "d", access);
        self.push(")");
    }

    /// A table with the condition that every use of one has: the tenant's own rows, of those
    /// the ones that have not expired.
    pub(super) fn visible_rows(&mut self, table: &str, expires: bool, alias: &str, access: Access) {
        self.table(table);
        let _ = write!(self.sql_mut(), " AS \"{alias}\"");
        self.push(if access == Access::BySideTable { " NOT INDEXED" } else { "" });
        let _ = write!(self.sql_mut(), " WHERE \"{alias}\".\"tenant\" = ");
        self.bind(Bind::Tenant, FieldType::Integer);
        if expires {
            let expires_at = format!("\"{alias}\".\"expires_at\"");
            let _ = write!(self.sql_mut(), " AND ({expires_at} IS NULL OR {expires_at} > ");
            self.bind(Bind::Now, FieldType::Timestamp);
            self.push(")");
        }
    }

    pub(super) fn column(&mut self, relation: RelationId, name: &str) {
        let Relation { source, columns } = &self.program().relations[relation];
        let column = columns.iter().find(|column| column.name == name);
        let physical = match source {
            Source::Target { .. } => column.and_then(|column| column.physical.clone()),
            _ => None,
        };
        let _ = write!(self.sql_mut(), "\"t{relation}\".");
        self.identifier(physical.as_deref().unwrap_or(name));
    }
}
