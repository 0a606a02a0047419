//! How well a document fits a query: `ts_rank` of `PostgreSQL`, repeated.
//!
//! The formula is `calc_rank_or` in its `src/backend/utils/adt/tsrank.c`, with all weights 1 and
//! without a normalization: for each word of the query, of its `n` occurrences in the document
//! (at most 15 count) the sum of `1/1² + 1/2² + … + 1/n²`, divided by π²/6, which that sum comes
//! near to; the mean of all words of the query. It looks at nothing but the document and the
//! query, so no rank tells of other documents. Each step is rounded as there, so that both
//! databases give the same number.

/// The rank of a document. Both are words between blanks, in the order of their bytes; those of
/// the query once each, with a `*` at the end of one that stands for all that begin so.
pub(in crate::storage) fn rank(content: &str, query: &str) -> f64 {
    let words = query.split(' ').filter(|word| !word.is_empty());
    let mut sum = 0.0_f32;
    let mut wanted = 0.0_f32;
    for word in words {
        wanted += 1.0;
        let occurrences = match word.strip_suffix('*') {
            Some(beginning) => occurrences(content, |known| known.starts_with(beginning)),
            None => occurrences(content, |known| known == word),
        };
        for count in occurrences {
            sum = add(sum, count);
        }
    }
    if wanted == 0.0 { 0.0 } else { f64::from(sum / wanted) }
}

/// How often each word that fits is there.
fn occurrences(content: &str, fits: impl Fn(&str) -> bool) -> Vec<u16> {
    let mut counts: Vec<u16> = Vec::new();
    let mut last = "";
    for word in content.split(' ').filter(|word| fits(word)) {
        match counts.last_mut() {
            Some(count) if word == last => *count += 1,
            _ => counts.push(1),
        }
        last = word;
    }
    counts
}

/// What the sum comes near to when a word occurs more and more often, with the digits that
/// `PostgreSQL` has of it.
const LIMIT: f64 = 1.64493406685;

#[expect(clippy::cast_possible_truncation, reason = "a float there as well")]
fn add(sum: f32, occurrences: u16) -> f32 {
    let mut of_word = 0.0_f32;
    for place in 1..=occurrences {
        of_word += 1.0 / (f32::from(place) * f32::from(place));
    }
    // There the greatest weight is put first by adding it and taking its share away.
    let of_word = 1.0 + of_word - 1.0;
    (f64::from(sum) + f64::from(of_word) / LIMIT) as f32
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn a_word_counts_less_each_time() {
        let near = |one: f64, other: f64| (one - other).abs() < 1e-6;
        assert!(near(rank("1xa", "1xa"), 0.607_927));
        assert!(near(rank("1xa 1xa 1xb", "1xa"), 0.759_909));
        assert!(near(rank("1xa 1xa 1xb", "1xa 1xb"), (0.759_909 + 0.607_927) / 2.0));
        assert!(near(rank("1xa 1xab 1xb", "1xa*"), 2.0 * 0.607_927));
        assert!(near(rank("1xa", "1xa 1xb"), 0.607_927 / 2.0));
        assert_eq!((rank("", "1xa"), rank("1xa", ""), rank("1xab", "1xa")), (0.0, 0.0, 0.0));
    }
}
