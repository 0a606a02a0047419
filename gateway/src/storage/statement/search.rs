//! Full text: `match`, `rank` and `highlight`.
//!
//! The first two take the name of a `search` index of a collection in FROM, which is no column and
//! can stand nowhere else. What is searched for is a parameter: the gateway makes the databases'
//! queries of it, so no text of theirs comes from a plugin or a client.

use sqlparser::ast::Expr;

use super::call::Call;
use super::check::{Checked, Checker, Clause};
use super::position::start;
use super::render::Renderer;
use super::scope::Scope;
use super::tree::{Expression, ROW_ID, RelationId};
use super::types::Typed;
use super::{Bind, Dialect};
use crate::manifest::FieldType;

impl Checker<'_> {
    /// `match(index, :query)`.
    pub(super) fn matches(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let (words, query) = self.searched(call, scope)?;
        let nullable = words.nullable;
        let found = Expression::Match(Box::new(words.expression), query);
        self.use_side_table(&found);
        Ok(Typed { expression: found, value_type: Some(FieldType::Boolean), nullable })
    }

    /// `rank(index, :query)`.
    pub(super) fn rank(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let (words, query) = self.searched(call, scope)?;
        let nullable = words.nullable;
        let rank = Expression::Rank(Box::new(words.expression), query);
        Ok(Typed { expression: rank, value_type: Some(FieldType::Number), nullable })
    }

    fn searched(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<(Typed, usize)> {
        let [index, query] = call.arguments.as_slice() else {
            let reason = format!("{} takes a search index and a parameter", call.name);
            return self.refuse(call.at, reason);
        };
        let path = match index {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(path) => path.as_slice(),
            _ => {
                let reason = format!("{} takes the name of a search index", call.name);
                return self.refuse(start(index), reason);
            }
        };
        Ok((self.search_index(path, scope)?, self.query_parameter(query, scope)?))
    }

    /// The place of the parameter that an argument is.
    fn query_parameter(&mut self, query: &Expr, scope: &Scope<'_>) -> Checked<usize> {
        let typed = self.expression(query, scope)?;
        match self.coerce(typed, FieldType::Text, start(query))?.expression {
            Expression::Parameter(place) => Ok(place),
            _ => self.refuse(start(query), "what is searched for must be a parameter"),
        }
    }

    /// `highlight(text, :query)`.
    pub(super) fn highlight(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Checked<Typed> {
        let [text, query] = call.arguments.as_slice() else {
            return self.refuse(call.at, "highlight takes a text and a parameter");
        };
        if self.clause() != Clause::Items {
            return self.refuse(call.at, HIGHLIGHTS);
        }
        self.highlights.push(call.at);
        let typed = self.expression(text, scope)?;
        let typed = self.coerce(typed, FieldType::Text, start(text))?;
        let query = self.query_parameter(query, scope)?;
        let expression = Expression::Highlight(Box::new(typed.expression), query);
        Ok(Typed { expression, ..typed })
    }

    /// Refuse a highlight that is not a column of the result: the gateway marks those alone, of
    /// which there are so many.
    pub(super) fn refuse_hidden_highlights(&mut self, shown: usize) -> Checked<()> {
        match self.highlights.first() {
            Some(at) if shown < self.highlights.len() => self.refuse(*at, HIGHLIGHTS),
            _ => Ok(()),
        }
    }
}

const HIGHLIGHTS: &str = "highlight stands alone as a column of the result";

impl Renderer<'_> {
    /// On `SQLite` the rows that the index names. They are the tenant's and visible by the
    /// relation itself, whatever else the index holds.
    pub(super) fn matches(&mut self, words: &Expression, query: usize) {
        if self.dialect() == Dialect::Postgres {
            self.around("(", words, " @@ ");
            self.bind(Bind::AllWords(query), FieldType::Text);
            return self.push(")");
        }
        let Some((relation, side_table)) = self.words_of(words) else {
            return self.push("NULL");
        };
        self.push("(");
        self.column(relation, ROW_ID);
        self.push(" IN (SELECT \"w\".\"rowid\" FROM ");
        self.table(&side_table);
        self.push("(");
        self.bind(Bind::AllWords(query), FieldType::Text);
        self.push(") AS \"w\"))");
    }

    /// The relation and the side table of an index. The checker lets no other expression through.
    fn words_of(&self, words: &Expression) -> Option<(RelationId, String)> {
        let Expression::Column(relation, name) = words else { return None };
        let columns = &self.program().relations[*relation].columns;
        let column = columns.iter().find(|column| column.name == *name)?;
        Some((*relation, column.side_table.clone()?))
    }

    /// See `words/rank.rs`: with all words joined by OR and with these weights both databases
    /// compute the same.
    pub(super) fn rank(&mut self, words: &Expression, query: usize) {
        match self.dialect() {
            Dialect::Postgres => self.around("(ts_rank('{1,1,1,1}'::float4[], ", words, ", "),
            Dialect::Sqlite => self.around("loggia_rank(", words, ", "),
        }
        self.bind(Bind::AnyWord(query), FieldType::Text);
        self.push(if self.dialect() == Dialect::Postgres { ")::float8)" } else { ")" });
    }
}
