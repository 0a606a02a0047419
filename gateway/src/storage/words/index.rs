//! The words of one document, as an index keeps them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{fold, of, term};
use crate::storage::statement::Dialect;

/// So much of a document's texts is searched; what stands behind is not found.
const MAX_TEXT_BYTES: usize = 256 << 10;

/// So many different words of a document are kept: what `PostgreSQL` takes of the greatest length.
const MAX_WORDS: usize = 8_192;

/// A word that is there more often ranks no higher; the sixteenth would add half a percent.
const MAX_OCCURRENCES: usize = 15;

/// Words with how often they occur, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::storage) struct Terms(BTreeMap<String, usize>);

impl Terms {
    /// The words of a document's texts.
    pub(in crate::storage) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut terms = BTreeMap::new();
        let mut before = 0;
        for text in texts {
            for range in of(text).take_while(|range| before + range.end <= MAX_TEXT_BYTES) {
                add(&mut terms, fold(&text[range]));
            }
            before += text.len();
        }
        Self(terms)
    }

    /// The content of the column: on `PostgreSQL` a `tsvector` with a position for each
    /// occurrence, on `SQLite` the words themselves, once for each.
    pub(in crate::storage) fn content(&self, tenant: i64, dialect: Dialect) -> String {
        let mut content = String::new();
        for (word, occurrences) in &self.0 {
            let term = term(tenant, word);
            match dialect {
                Dialect::Postgres => {
                    let _ = write!(content, "'{term}':");
                    for place in 1..=*occurrences {
                        let _ = write!(content, "{}{place}", if place == 1 { "" } else { "," });
                    }
                    content.push(' ');
                }
                Dialect::Sqlite => {
                    for _ in 0..*occurrences {
                        let _ = write!(content, "{term} ");
                    }
                }
            }
        }
        content.truncate(content.trim_end().len());
        content
    }
}

fn add(terms: &mut BTreeMap<String, usize>, word: String) {
    if word.is_empty() || terms.len() >= MAX_WORDS && !terms.contains_key(&word) {
        return;
    }
    let occurrences = terms.entry(word).or_default();
    *occurrences = (*occurrences + 1).min(MAX_OCCURRENCES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_gets_its_form() {
        let terms = Terms::of(["b a", "B, c"].into_iter());
        assert_eq!(terms.content(7, Dialect::Postgres), "'7xa':1 '7xb':1,2 '7xc':1");
        assert_eq!(terms.content(7, Dialect::Sqlite), "7xa 7xb 7xb 7xc");
        assert_eq!(Terms::default().content(7, Dialect::Sqlite), "");
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let long = "é ".repeat(MAX_TEXT_BYTES / 3);
        let terms = Terms::of([long.as_str(), "behind"].into_iter());
        assert_eq!(terms.0.into_iter().collect::<Vec<_>>(), [("e".to_owned(), MAX_OCCURRENCES)]);
        let many: String = (0..MAX_WORDS + 10).map(|number| format!("{number} ")).collect();
        let terms = Terms::of([many.as_str(), "0"].into_iter());
        assert_eq!((terms.0.len(), terms.0["0"]), (MAX_WORDS, 2));
        let cut = format!("{}end ending", " ".repeat(MAX_TEXT_BYTES - 6));
        assert_eq!(
            Terms::of([cut.as_str()].into_iter()).0.into_keys().collect::<Vec<_>>(),
            ["end"]
        );
    }
}
