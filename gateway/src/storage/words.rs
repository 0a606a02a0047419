//! Words: what a `search` index is made of.
//!
//! The databases' own parsers disagree on what a word is, so the gateway takes texts and queries
//! apart by itself, and the databases only keep the words. A word is a run of letters and digits
//! of any script; a character of Chinese or Japanese script is one by itself. Case and accents do
//! not count: `Café` is the word `cafe`. Begin with [`of`] and [`fold`]; `index.rs` makes the
//! content of an index, `query.rs` reads what is searched for, `rank.rs` and `highlight.rs` show
//! what was found.

mod highlight;
mod index;
mod query;
mod rank;

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

pub(super) use highlight::highlight;
pub(super) use index::Terms;
pub(super) use query::{SearchQuery, Searched};
pub(super) use rank::rank;

/// So many bytes of a word count, after [`fold`]: `PostgreSQL` takes some 2,000.
const MAX_WORD_BYTES: usize = 64;

/// Where the words of a text stand in it.
fn of(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = rest.find(|(_, character)| character.is_alphanumeric())?;
        let mut end = start + first.len_utf8();
        let alone = stands_alone(first);
        while let Some((place, next)) = rest.next_if(|(_, next)| {
            is_combining_mark(*next) || !alone && next.is_alphanumeric() && !stands_alone(*next)
        }) {
            end = place + next.len_utf8();
        }
        Some(start..end)
    })
}

/// Kana and Han, which are written without blanks between words.
fn stands_alone(character: char) -> bool {
    matches!(character,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The form of a word that counts: in lower case, without accents, and with one form for
/// characters that look alike, such as full-width letters. Empty where nothing is left.
///
/// What comes out has no ASCII character but letters and digits: the indexes rely on it.
fn fold(word: &str) -> String {
    let mut folded = if word.is_ascii() {
        word.to_ascii_lowercase()
    } else {
        let kept = word.nfkd().filter(|character| is_kept(*character));
        kept.flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
    };
    folded.truncate(folded.floor_char_boundary(MAX_WORD_BYTES));
    folded
}

/// The accents of Latin, Greek and Cyrillic letters are left out; the marks of other scripts are
/// vowels, and stay. A compatible form may hold punctuation, as that of `½` does.
fn is_kept(character: char) -> bool {
    let is_accent = matches!(character, '\u{300}'..='\u{36f}');
    !is_accent && (character.is_alphanumeric() || is_combining_mark(character))
}

/// A word as it stands in an index that all tenants share. A folded word's tenant ends at the
/// first letter.
fn term(tenant: i64, word: &str) -> String {
    format!("{tenant}x{word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        of(text).map(|range| fold(&text[range])).collect()
    }

    #[test]
    fn a_text_is_taken_apart_into_words() {
        for (text, expected) in [
            ("", ""),
            (" .,;!? -- ", ""),
            ("Hello, World!", "hello world"),
            ("foo-bar@example.com v2.0 1.5", "foo bar example com v2 0 1 5"),
            ("don't snake_case", "don t snake case"),
            ("Café cafe\u{301} CAFÉ", "cafe cafe cafe"),
            ("Ærøskøbing Straße Łódź", "ærøskøbing straße łodz"),
            ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul ıstanbul"),
            ("ΛΌΓΟΣ λόγος λόγοσ", "λογοσ λογοσ λογοσ"),
            ("Ёлка ёлка елка", "елка елка елка"),
            ("東京タワー tower塔", "東 京 タ ワ ー tower 塔"),
            ("ｆｕｌｌ ＷＩＤＴＨ ﬁn", "full width fin"),
            ("हिन्दी नमस्ते", "हिन्दी नमस्ते"),
            ("½ ① x²", "12 1 x2"),
            ("🎉party🎉 e🎉", "party e"),
            ("a\u{301}\u{301}b", "ab"),
            ("한국어 문장", "한국어 문장"),
        ] {
            let expected: Vec<String> =
                expected.split(' ').filter(|w| !w.is_empty()).map(fold).collect();
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn a_word_holds_no_ascii_but_letters_and_digits() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            for word in words(&format!("a{character}")) {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() && !byte.is_ascii_uppercase();
                assert!(word.bytes().all(|byte| !byte.is_ascii() || plain(byte)), "{character:?}");
                assert!(!word.contains(char::is_whitespace), "{character:?}");
            }
        }
    }

    #[test]
    fn a_long_word_is_cut_where_a_character_ends() {
        assert_eq!(fold(&"a".repeat(65)), "a".repeat(64));
        assert_eq!(fold(&format!("{}дд", "a".repeat(63))), "a".repeat(63));
    }
}
