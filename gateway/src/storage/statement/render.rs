//! A checked statement as text for one database: the page or the count around its query.
//!
//! Everything that is written comes from the tree, and names only from the catalog; each name is
//! quoted, each literal is quoted anew. On `PostgreSQL` every parameter and literal has its exact
//! type, and text the collation by bytes; an inexact one would cost an index or give another
//! order than `SQLite`'s. `render_query.rs` writes queries, `render_expression.rs` and
//! `render_function.rs` what is in them.

use std::fmt::Write as _;

use super::order::{Key, Order, behind};
use super::tree::{Expression, Program, RelationId};
use super::{Bind, Dialect, Rendered, Wall};
use crate::manifest::FieldType;

/// What is to be selected: a statement's query with the optional conditions that are in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection<'s> {
    pub(super) program: &'s Program,
    pub(super) conditions: &'s [&'s Expression],
}

/// Which rows, and in which order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'s> {
    pub(super) order: &'s Order,
    pub(super) whole: bool,
    pub(super) after: Option<&'s [bool]>,
    pub(super) limit: bool,
    pub(super) offset: bool,
}

impl<'s> Page<'s> {
    /// The keys that stand behind the columns of a row.
    fn cursor(&self) -> &'s [Key] {
        if self.order.distinct && !self.whole { &self.order.keys } else { &[] }
    }
}

/// A text under construction.
#[derive(Debug)]
pub(super) struct Renderer<'s> {
    selection: Selection<'s>,
    dialect: Dialect,
    sql: String,
    binds: Vec<Bind>,
    /// How many parameters of the text around this one are numbered before.
    before: usize,
    wall: Wall,
    /// Relations whose rows a side table names.
    pub(super) driven: Vec<RelationId>,
    /// How many subqueries around this place are run again for each row.
    pub(super) repeated: u32,
}

impl<'s> Renderer<'s> {
    pub(super) fn new(selection: Selection<'s>, dialect: Dialect) -> Self {
        let (sql, binds) = (String::new(), Vec::new());
        let wall = Wall::default();
        let (before, driven, repeated) = (0, Vec::new(), 0);
        Self { selection, dialect, sql, binds, before, wall, driven, repeated }
    }

    pub(super) fn numbered_behind(self, before: usize) -> Self {
        Self { before, ..self }
    }

    pub(super) fn selection(&self) -> Selection<'s> {
        self.selection
    }

    /// One page of rows: the columns of the result, then the keys.
    pub(super) fn page(mut self, page: Page<'_>) -> Rendered {
        self.with();
        let behind = page.after.map(|nulls| behind(page.cursor(), nulls)).unwrap_or_default();
        match behind.as_slice() {
            [] => self.rows(&page, None),
            [condition] => self.rows(&page, Some(condition)),
            // The query is run as a whole, so ranges would run it several times.
            _ if self.selection.program.wrapped.is_some() => {
                self.rows(&page, Some(&Expression::Or(behind)));
            }
            conditions => self.ranges(&page, conditions),
        }
        self.end()
    }

    /// The number of all rows.
    pub(super) fn total(mut self) -> Rendered {
        self.with();
        self.push("SELECT count(*)");
        self.sources_and_filter(None);
        self.end()
    }

    pub(super) fn end(self) -> Rendered {
        Rendered { sql: self.sql, binds: self.binds, wall: self.wall }
    }

    fn rows(&mut self, page: &Page<'_>, behind: Option<&Expression>) {
        self.columns(page);
        self.sources_and_filter(behind);
        self.order_by(page);
        self.limit(page.limit, page.offset);
    }

    /// Several ranges of rows, each read as far as the page can reach, and put in order.
    fn ranges(&mut self, page: &Page<'_>, conditions: &[Expression]) {
        let (width, keys) = (self.selection.program.width, page.cursor());
        self.push("SELECT ");
        self.list(width + keys.len(), |renderer, place| renderer.output("r", place));
        self.push(" FROM (");
        for (place, condition) in conditions.iter().enumerate() {
            self.push(if place == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            self.columns(page);
            self.sources_and_filter(Some(condition));
            self.order_by(page);
            self.reach(page.limit, page.offset);
            let _ = write!(self.sql, ") AS \"r{place}\"");
        }
        self.push(") AS \"r\" ORDER BY ");
        self.list(keys.len(), |renderer, place| {
            renderer.output("r", width + place);
            renderer.direction(keys[place].descending);
        });
        self.limit(page.limit, page.offset);
    }

    /// SELECT, the columns of the result and the keys, each with a name.
    fn columns(&mut self, page: &Page<'_>) {
        let Program { body, wrapped, width, .. } = self.selection.program;
        let keys = page.cursor();
        self.push("SELECT ");
        self.list(width + keys.len(), |renderer, place| {
            match (place.checked_sub(*width), wrapped) {
                (None, None) => renderer.expression(&body.first.items[place].expression),
                (None, Some(relation)) => {
                    renderer.column(*relation, &body.first.items[place].name);
                }
                (Some(key), _) => renderer.expression(&keys[key].expression),
            }
            renderer.push(" AS ");
            renderer.output_name(place);
        });
    }

    fn output(&mut self, relation: &str, place: usize) {
        let _ = write!(self.sql, "\"{relation}\".");
        self.output_name(place);
    }

    /// The name of a column of the result or of a key. `#` cannot be in a name of the plugin's.
    fn output_name(&mut self, place: usize) {
        let Program { body, width, .. } = self.selection.program;
        match place.checked_sub(*width) {
            None => self.identifier(&body.first.items[place].name),
            Some(key) => {
                let _ = write!(self.sql, "\"#{key}\"");
            }
        }
    }

    /// FROM and WHERE with the conditions in force.
    fn sources_and_filter(&mut self, behind: Option<&Expression>) {
        let Selection { program, conditions } = self.selection;
        let Some(relation) = program.wrapped else {
            let mut all = conditions.to_vec();
            all.extend(behind);
            return self.sources(&program.body.first, &all);
        };
        self.push(" FROM (");
        self.body(&program.body, conditions);
        let _ = write!(self.sql, ") AS \"t{relation}\"");
        if let Some(behind) = behind {
            self.push(" WHERE ");
            self.expression(behind);
        }
    }

    pub(super) fn order_by(&mut self, page: &Page<'_>) {
        let keys = &page.order.keys;
        if keys.is_empty() {
            return;
        }
        self.push(" ORDER BY ");
        let of_primary_key = self.is_primary_key(keys);
        self.list(keys.len(), |renderer, place| {
            renderer.sorting_term(&keys[place].expression);
            match (of_primary_key, keys[place].descending) {
                (false, descending) => renderer.direction(descending),
                (true, true) => renderer.push(" DESC"),
                (true, false) => {}
            }
        });
    }

    /// The primary key is the one index that was not made with NULLs first. Where the id is never
    /// NULL, the order without a word on NULLs is the same, and the key's.
    fn is_primary_key(&self, keys: &[Key]) -> bool {
        let [Key { expression: Expression::Column(relation, name), nullable: false, .. }] = keys
        else {
            return false;
        };
        let columns = &self.selection.program.relations[*relation].columns;
        name == "id" && columns.iter().any(|c| c.name == "id" && c.physical.is_some())
    }

    pub(super) fn limit(&mut self, limit: bool, offset: bool) {
        match (limit, self.dialect) {
            (true, _) => {
                self.push(" LIMIT ");
                self.bind(Bind::Limit, FieldType::Integer);
            }
            // SQLite has no OFFSET without LIMIT.
            (false, Dialect::Sqlite) if offset => self.push(" LIMIT -1"),
            (false, _) => {}
        }
        if offset {
            self.push(" OFFSET ");
            self.bind(Bind::Offset, FieldType::Integer);
        }
    }

    /// As many rows as a page can need from one of its ranges.
    fn reach(&mut self, limit: bool, offset: bool) {
        if limit {
            self.push(" LIMIT ");
            self.bind(Bind::Limit, FieldType::Integer);
            if offset {
                self.push(" + ");
                self.bind(Bind::Offset, FieldType::Integer);
            }
        }
    }
}

/// What the other renderers write with.
impl Renderer<'_> {
    pub(super) fn push(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// For formatted text.
    pub(super) fn sql_mut(&mut self) -> &mut String {
        &mut self.sql
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn program(&self) -> &Program {
        self.selection.program
    }

    /// A table that is read.
    pub(super) fn table(&mut self, name: &str) {
        self.may_read(name);
        self.identifier(name);
    }

    /// Without this a table that the text names is kept from it by the second wall.
    pub(super) fn may_read(&mut self, table: &str) {
        self.wall.read(table);
    }

    /// The table that is written.
    pub(super) fn written_table(&mut self, name: &str) {
        self.wall.write(name);
        self.identifier(name);
    }

    /// A quoted name. All names were checked to hold no quote; doubling one costs nothing.
    pub(super) fn identifier(&mut self, name: &str) {
        let _ = write!(self.sql, "\"{}\"", name.replace('"', "\"\""));
    }

    /// `count` things with commas between them.
    pub(super) fn list(&mut self, count: usize, mut write: impl FnMut(&mut Self, usize)) {
        for place in 0..count {
            if place > 0 {
                self.push(", ");
            }
            write(self, place);
        }
    }

    pub(super) fn joined<'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e Expression>,
        separator: &str,
    ) {
        for (place, expression) in expressions.into_iter().enumerate() {
            if place > 0 {
                self.push(separator);
            }
            self.expression(expression);
        }
    }

    /// NULL is the smallest value; that is `SQLite`'s order and not `PostgreSQL`'s.
    pub(super) fn direction(&mut self, descending: bool) {
        self.push(match (self.dialect, descending) {
            (Dialect::Postgres, false) => " ASC NULLS FIRST",
            (Dialect::Postgres, true) => " DESC NULLS LAST",
            (Dialect::Sqlite, false) => "",
            (Dialect::Sqlite, true) => " DESC",
        });
    }

    /// A numbered parameter, with its exact type on `PostgreSQL`.
    pub(super) fn bind(&mut self, bind: Bind, value_type: FieldType) {
        let known = self.binds.iter().position(|known| *known == bind);
        let place = known.unwrap_or_else(|| {
            self.binds.push(bind);
            self.binds.len() - 1
        });
        let number = self.before + place + 1;
        // The type of the tables' column; with another, PostgreSQL would leave an index unused.
        let postgres_type = match bind {
            Bind::Tenant => "int4",
            // It travels as text; the driver knows no `tsquery`.
            Bind::AllWords(_) | Bind::AnyWord(_) => "text::tsquery",
            _ => postgres_type(value_type),
        };
        let _ = match self.dialect {
            Dialect::Postgres => write!(self.sql, "${number}::{postgres_type}"),
            Dialect::Sqlite => write!(self.sql, "?{number}"),
        };
    }
}

/// The type of a value on `PostgreSQL`.
pub(super) fn postgres_type(value_type: FieldType) -> &'static str {
    match value_type {
        FieldType::Text => "text",
        FieldType::Integer | FieldType::Timestamp => "int8",
        FieldType::Number => "float8",
        FieldType::Boolean => "bool",
        FieldType::Texts => "text[]",
        FieldType::Json => "jsonb",
        FieldType::Words => "tsvector",
    }
}
