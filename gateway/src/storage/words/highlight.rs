//! A text with the words that a query finds in it.

use super::query::SearchQuery;
use super::{fold, of};

/// The text as HTML: each word that the query finds stands in `<mark>`, and what HTML would read
/// as its own is escaped.
pub(in crate::storage) fn highlight(text: &str, query: &SearchQuery) -> String {
    let mut html = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for range in of(text).filter(|range| query.finds(&fold(&text[range.clone()]))) {
        escape(&mut html, &text[done..range.start]);
        html.push_str("<mark>");
        escape(&mut html, &text[range.clone()]);
        html.push_str("</mark>");
        done = range.end;
    }
    escape(&mut html, &text[done..]);
    html
}

fn escape(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            character => html.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_and_html_is_escaped() {
        let marked = |text, query: &str| highlight(text, &SearchQuery::of(Some(&query.into())));
        assert_eq!(
            marked("A café, Cafe\u{301}!", "CAFE"),
            "A <mark>café</mark>, <mark>Cafe\u{301}</mark>!"
        );
        assert_eq!(marked("searching", "search*"), "<mark>searching</mark>");
        assert_eq!(marked("searching", "search"), "searching");
        assert_eq!(
            marked("<b>\"x\" & 'y'</b>", "b y"),
            "&lt;<mark>b</mark>&gt;&quot;x&quot; &amp; &#39;<mark>y</mark>&#39;&lt;/<mark>b</mark>&gt;"
        );
        assert_eq!(marked("東京", "京"), "東<mark>京</mark>");
        assert_eq!(marked("<mark>", ""), "&lt;mark&gt;");
        assert_eq!(marked("", "a"), "");
    }
}
