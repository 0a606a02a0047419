//! What is searched for: words, all of which a document must have.

use super::{fold, of, term};
use crate::storage::sql::SqlValue;
use crate::storage::statement::Dialect;

/// Further words of a query do not count.
const MAX_QUERY_WORDS: usize = 32;

/// A query taken apart: its words in the order of their bytes, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::storage) struct SearchQuery {
    words: Vec<QueryWord>,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct QueryWord {
    word: String,
    /// Whether it stands for all words that begin so.
    prefix: bool,
}

/// A query as one tenant's words on one database.
#[derive(Debug)]
pub(in crate::storage) struct Searched {
    pub(in crate::storage) query: SearchQuery,
    pub(in crate::storage) tenant: i64,
    pub(in crate::storage) dialect: Dialect,
}

impl Searched {
    /// See [`SearchQuery::all`].
    pub(in crate::storage) fn all(&self) -> SqlValue {
        SqlValue::Text(self.query.all(self.tenant, self.dialect))
    }

    /// See [`SearchQuery::any`].
    pub(in crate::storage) fn any(&self) -> SqlValue {
        SqlValue::Text(self.query.any(self.tenant, self.dialect))
    }
}

impl SearchQuery {
    /// The query in an argument. None, and NULL, has no words.
    pub(in crate::storage) fn of(argument: Option<&SqlValue>) -> Self {
        match argument {
            Some(SqlValue::Text(text)) => Self::parse(text),
            _ => Self::default(),
        }
    }

    /// Take a query apart as a text is. A `*` right behind a word makes it the beginning of one.
    fn parse(text: &str) -> Self {
        let mut words: Vec<QueryWord> = Vec::new();
        for range in of(text) {
            let prefix = text[range.end..].starts_with('*');
            let found = QueryWord { word: fold(&text[range]), prefix };
            let full = words.len() == MAX_QUERY_WORDS;
            match words.iter_mut().find(|known| known.word == found.word) {
                // What has the word has its beginning.
                Some(known) => known.prefix &= found.prefix,
                None if found.word.is_empty() || full => {}
                None => words.push(found),
            }
        }
        words.sort();
        Self { words }
    }

    /// Whether a word of a text is one of the query's.
    pub(super) fn finds(&self, word: &str) -> bool {
        let fits = |wanted: &QueryWord| match wanted.prefix {
            true => word.starts_with(&wanted.word),
            false => word == wanted.word,
        };
        self.words.iter().any(fits)
    }

    /// That all words are there: a `tsquery`, or a query of FTS5.
    fn all(&self, tenant: i64, dialect: Dialect) -> String {
        let separator = match dialect {
            Dialect::Postgres => " & ",
            Dialect::Sqlite => " AND ",
        };
        let terms = self.words.iter().map(|wanted| match (dialect, wanted.prefix) {
            (Dialect::Postgres, prefix) => lexeme(tenant, &wanted.word, prefix),
            (Dialect::Sqlite, false) => format!("\"{}\"", term(tenant, &wanted.word)),
            (Dialect::Sqlite, true) => format!("\"{}\" *", term(tenant, &wanted.word)),
        });
        or_none(terms.collect::<Vec<_>>().join(separator), dialect)
    }

    /// The words that count for the rank: a `tsquery`, or what [`super::rank()`] reads.
    fn any(&self, tenant: i64, dialect: Dialect) -> String {
        let star = |wanted: &QueryWord| if wanted.prefix { "*" } else { "" };
        match dialect {
            Dialect::Postgres => {
                let lexemes = self.words.iter();
                let lexemes = lexemes.map(|wanted| lexeme(tenant, &wanted.word, wanted.prefix));
                or_none(lexemes.collect::<Vec<_>>().join(" | "), dialect)
            }
            Dialect::Sqlite => {
                let terms = self.words.iter();
                let terms = terms.map(|wanted| term(tenant, &wanted.word) + star(wanted));
                terms.collect::<Vec<_>>().join(" ")
            }
        }
    }
}

fn lexeme(tenant: i64, word: &str, prefix: bool) -> String {
    format!("'{}'{}", term(tenant, word), if prefix { ":*" } else { "" })
}

/// A query without words finds nothing: it becomes one for a word of no tenant.
fn or_none(query: String, dialect: Dialect) -> String {
    match (query.is_empty(), dialect) {
        (false, _) => query,
        (true, Dialect::Postgres) => "'x'".to_owned(),
        (true, Dialect::Sqlite) => "\"x\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> [String; 2] {
        let query = SearchQuery::parse(text);
        [query.all(7, Dialect::Postgres), query.all(7, Dialect::Sqlite)]
    }

    #[test]
    fn a_query_is_its_words() {
        assert_eq!(all("b, A!"), ["'7xa' & '7xb'", "\"7xa\" AND \"7xb\""]);
        assert_eq!(
            all("é* \"x' OR *"),
            ["'7xe':* & '7xor' & '7xx'", "\"7xe\" * AND \"7xor\" AND \"7xx\""]
        );
        assert_eq!(all("a* a b* B*"), ["'7xa' & '7xb':*", "\"7xa\" AND \"7xb\" *"]);
        assert_eq!(all(" *-* "), ["'x'", "\"x\""]);
    }

    #[test]
    fn ranks_count_any_word() {
        let query = SearchQuery::parse("b* a");
        assert_eq!(query.any(7, Dialect::Postgres), "'7xa' | '7xb':*");
        assert_eq!(query.any(7, Dialect::Sqlite), "7xa 7xb*");
        assert_eq!(SearchQuery::default().any(7, Dialect::Sqlite), "");
    }

    #[test]
    fn so_many_words_count() {
        let many: String = (100..200).map(|number| format!("{number} ")).collect();
        assert_eq!(SearchQuery::parse(&many).words.len(), MAX_QUERY_WORDS);
    }
}
