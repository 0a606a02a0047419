//! Updates and deletes as text.
//!
//! On `PostgreSQL` one statement picks documents under their locks and then writes them. The two
//! are joined by the key and not by `ctid`: who had to wait for a lock picks a version of the row
//! that is newer than the statement's snapshot, in which only the older one is found; from there
//! the server goes on to the newest by itself. The order is that of picking, so its keys are
//! carried along: what is set may be one of them.

use std::fmt::Write as _;

use super::documents::TARGET;
use super::order::Order;
use super::render::{Page, Renderer};
use super::tree::{Expression, Source};
use super::update::{Member, NewExpiry, Update};
use super::{Bind, Dialect, Rendered, constant};
use crate::json::edit;
use crate::manifest::FieldType;
use crate::storage::collection_sql::DOCUMENT_COLUMNS;

impl Renderer<'_> {
    /// `PostgreSQL`: pick, change, and give the documents in order.
    pub(super) fn update_picked(mut self, update: &Update, order: &Order) -> Rendered {
        // Ids do not change, so those who refer to the documents need not wait.
        self.picked(order, " FOR NO KEY UPDATE OF \"t0\"");
        self.push(if update.skips_locked { " SKIP LOCKED)" } else { ")" });
        self.push(", \"changed\" AS (UPDATE ");
        self.target_table();
        self.push(" AS \"t0\"");
        self.changes(update);
        self.push(" FROM \"picked\" AS \"p\"");
        self.is_picked();
        self.push(" RETURNING ");
        self.document_columns("t0");
        for place in 0..order.keys.len() {
            let _ = write!(self.sql_mut(), ", \"p\".\"#{place}\"");
        }
        self.push(") SELECT ");
        self.document_columns("c");
        self.push(" FROM \"changed\" AS \"c\" ORDER BY ");
        self.list(order.keys.len(), |renderer, place| {
            let _ = write!(renderer.sql_mut(), "\"c\".\"#{place}\"");
            renderer.direction(order.keys[place].descending);
        });
        self.end()
    }

    /// `SQLite`: the ids of the documents to change or delete, in order.
    pub(super) fn picked_ids(mut self, order: &Order) -> Rendered {
        self.push("SELECT \"t0\".\"id\"");
        self.pick(order);
        self.end()
    }

    /// `SQLite`: change the documents of these ids.
    pub(super) fn update_ids(mut self, update: &Update) -> Rendered {
        self.push("UPDATE ");
        self.target_table();
        self.push(" AS \"t0\"");
        self.changes(update);
        self.is_one_of();
        self.push(" RETURNING ");
        self.push(DOCUMENT_COLUMNS);
        self.end()
    }

    /// `PostgreSQL`: pick and delete, and give a row for each.
    pub(super) fn delete_picked(mut self, order: &Order) -> Rendered {
        self.picked(order, " FOR UPDATE OF \"t0\"");
        self.push(") DELETE FROM ");
        self.target_table();
        self.push(" AS \"t0\" USING \"picked\" AS \"p\"");
        self.is_picked();
        self.push(" RETURNING 1");
        self.end()
    }

    /// `SQLite`: delete the documents of these ids.
    pub(super) fn delete_ids(mut self) -> Rendered {
        self.push("DELETE FROM ");
        self.target_table();
        self.push(" AS \"t0\"");
        self.is_one_of();
        self.end()
    }

    /// The documents under their locks, by id and the keys of the order; the end is left open.
    fn picked(&mut self, order: &Order, lock: &str) {
        self.push("WITH \"picked\" AS MATERIALIZED (SELECT \"t0\".\"id\" AS \"id\"");
        for (place, key) in order.keys.iter().enumerate() {
            self.around(", ", &key.expression, " AS ");
            let _ = write!(self.sql_mut(), "\"#{place}\"");
        }
        self.pick(order);
        self.push(lock);
    }

    /// FROM, WHERE, ORDER BY and LIMIT.
    fn pick(&mut self, order: &Order) {
        self.target();
        let page = Page { order, whole: false, after: None, limit: true, offset: false };
        self.order_by(&page);
        self.limit(page.limit, page.offset);
    }

    fn is_picked(&mut self) {
        self.push(" WHERE \"t0\".\"tenant\" = ");
        self.bind(Bind::Tenant, FieldType::Integer);
        self.push(" AND \"t0\".\"id\" = \"p\".\"id\"");
    }

    fn is_one_of(&mut self) {
        self.push(" WHERE \"t0\".\"tenant\" = ");
        self.bind(Bind::Tenant, FieldType::Integer);
        self.push(" AND \"t0\".\"id\" IN (SELECT value FROM json_each(");
        self.bind(Bind::Ids, FieldType::Texts);
        self.push("))");
    }

    fn target_table(&mut self) {
        let program = self.selection().program;
        if let Source::Target { table, .. } = &program.relations[TARGET].source {
            self.written_table(table);
        }
    }

    fn document_columns(&mut self, relation: &str) {
        for (place, column) in DOCUMENT_COLUMNS.split(", ").enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(self.sql_mut(), "{comma}\"{relation}\".\"{column}\"");
        }
    }

    /// SET: all columns of a document that a change touches.
    fn changes(&mut self, update: &Update) {
        self.push(match self.dialect() {
            Dialect::Postgres => " SET \"version\" = nextval('loggia_version'), \"updated_at\" = ",
            Dialect::Sqlite => " SET \"version\" = loggia_version(), \"updated_at\" = ",
        });
        self.bind(Bind::Now, FieldType::Timestamp);
        self.push(&update.marks);
        match &update.expiry {
            NewExpiry::Kept => {}
            NewExpiry::Never => self.push(", \"expires_at\" = NULL"),
            NewExpiry::At(instant) => self.around(", \"expires_at\" = ", instant, ""),
        }
        if update.members.is_empty() {
            return;
        }
        for member in &update.members {
            self.push(", ");
            self.identifier(&member.column);
            self.push(" = ");
            self.column_value(member);
        }
        self.push(", \"body\" = ");
        match self.dialect() {
            Dialect::Postgres => self.postgres_body(&update.members),
            Dialect::Sqlite => self.sqlite_body(&update.members),
        }
    }

    /// JSON's null is no value, as in a body that is put.
    fn column_value(&mut self, member: &Member) {
        let constant = matches!(member.value, Expression::Text(_) | Expression::Null(_));
        match (self.dialect(), member.field_type) {
            (Dialect::Postgres, FieldType::Json) => {
                self.around("nullif(", &member.value, ", 'null'::jsonb)");
            }
            (Dialect::Sqlite, FieldType::Json) => {
                self.around("nullif(json(", &member.value, "), 'null')");
            }
            // An index would refuse a text that is too long with an error of its own.
            (Dialect::Postgres, FieldType::Text) if !constant && !member.is_long => {
                self.around("loggia_field_text(", &member.value, ")");
            }
            _ => self.expression(&member.value),
        }
    }

    /// Members at the top in one go; others one by one.
    fn postgres_body(&mut self, members: &[Member]) {
        let (top, others): (Vec<&Member>, Vec<&Member>) =
            members.iter().partition(|member| member.paths.len() == 1 && depth(member) == 1);
        for _ in &others {
            self.push("loggia_set_member(");
        }
        self.push("(\"t0\".\"body\"");
        for (place, member) in top.iter().enumerate() {
            self.push(if place == 0 { " || jsonb_build_object(" } else { ", " });
            self.quoted(
                &member.paths.iter().flat_map(|path| edit::tokens(path)).collect::<String>(),
            );
            self.push(", ");
            self.json_value(&member.value, member.field_type);
        }
        self.push(if top.is_empty() { ")" } else { "))" });
        for member in others {
            self.push(", coalesce(to_jsonb(");
            self.json_value(&member.value, member.field_type);
            self.push("), 'null'::jsonb)");
            for path in &member.paths {
                self.push(", ");
                self.quoted(path);
            }
            self.push(")");
        }
    }

    fn quoted(&mut self, text: &str) {
        self.push(&constant::text(text, self.dialect()));
    }

    /// All members in one go: of each the form of its value, the value, and its pointers.
    fn sqlite_body(&mut self, members: &[Member]) {
        self.push("loggia_set_members(\"t0\".\"body\"");
        for member in members {
            let paths = serde_json::Value::from(member.paths.clone()).to_string();
            let _ = write!(self.sql_mut(), ", '{}'", member.field_type.name());
            self.around(", ", &member.value, ", ");
            self.quoted(&paths);
        }
        self.push(")");
    }
}

/// At which depth of the body a member is set; 1 is its top.
fn depth(member: &Member) -> usize {
    member.paths.first().map_or(0, |path| edit::tokens(path).count())
}
