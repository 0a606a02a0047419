//! The factors of the advanced score, each from 0 to 100 but for the age of the account.

use std::collections::HashSet;

use loggia_plugin_sdk::Timestamp;
use serde::Serialize;

use super::Known;

/// The age of an account in days where it is not known.
const UNKNOWN_AGE: u64 = 9_999;

/// The mean reaction time of a guild where it is not known.
const UNKNOWN_MEAN: f64 = 5_000.0;

/// So many messages are compared with each other.
const COMPARED: usize = 20;

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Factors {
    pub(super) ghost_score: f64,
    pub(super) lurker_score: f64,
    pub(super) multi_client_freq: f64,
    pub(super) timing_anomalies: f64,
    /// In days.
    pub(super) account_age: u64,
    pub(super) activity_pattern: f64,
    pub(super) content_similarity: f64,
}

impl Known {
    pub(super) fn factors(&self) -> Factors {
        let messages = self.messages.len() as u64;
        let counts = &self.counts;
        Factors {
            ghost_score: ghost(messages, counts.presences),
            lurker_score: lurker(messages, counts.typing, counts.presences),
            multi_client_freq: multi_client(counts.multi_client, counts.presences),
            timing_anomalies: timing(&self.reaction_times, self.guild_mean),
            account_age: self.account_age_days.unwrap_or(UNKNOWN_AGE),
            activity_pattern: activity(self.messages.iter().map(|(time, _)| *time)),
            content_similarity: similarity(self.messages.iter().map(|(_, text)| text.as_str())),
        }
    }
}

/// The value behind the first threshold that is above the ratio, else 0.
fn below(ratio: f64, steps: &[(f64, f64)]) -> f64 {
    steps.iter().find(|(threshold, _)| ratio < *threshold).map_or(0.0, |(_, value)| *value)
}

/// The value behind the first threshold that the ratio is above, else 0.
fn above(ratio: f64, steps: &[(f64, f64)]) -> f64 {
    steps.iter().find(|(threshold, _)| ratio > *threshold).map_or(0.0, |(_, value)| *value)
}

/// Online, but silent.
fn ghost(messages: u64, presences: u64) -> f64 {
    if presences == 0 {
        return 0.0;
    }
    let ratio = messages as f64 / (presences + 1) as f64;
    below(ratio, &[(0.01, 100.0), (0.05, 80.0), (0.1, 60.0), (0.2, 40.0)])
}

fn lurker(messages: u64, typing: u64, presences: u64) -> f64 {
    match (messages, typing, presences) {
        (0, 0, 5..) => 100.0,
        (0..2, _, 10..) => 80.0,
        _ => 0.0,
    }
}

fn multi_client(several: u64, presences: u64) -> f64 {
    if presences == 0 {
        return 0.0;
    }
    above(several as f64 / presences as f64, &[(0.5, 100.0), (0.3, 70.0), (0.1, 40.0)])
}

/// Reactions that are regular, fast, or unlike those of others.
fn timing(times: &[f64], guild_mean: Option<f64>) -> f64 {
    if times.len() < 10 {
        return 0.0;
    }
    let (mean, variance) = mean_and_variance(times);
    let deviation = variance.sqrt();
    let regular = if deviation < 100.0 { 100.0 } else { ((1_000.0 - deviation) / 10.0).max(0.0) };
    let fast = if mean < 500.0 { (500.0 - mean) / 5.0 } else { 0.0 };
    // A mean of 0 says nothing, and cannot be divided by.
    let usual = guild_mean.filter(|mean| *mean > 0.0).unwrap_or(UNKNOWN_MEAN);
    let unlike = ((mean - usual).abs() / usual * 100.0).min(100.0);
    ((regular + fast + unlike) / 3.0).min(100.0)
}

/// Messages that are spread over the hours of the day as those of nobody.
fn activity(times: impl Iterator<Item = Timestamp>) -> f64 {
    const HOUR_MS: i64 = 3_600_000;
    let mut hours = [0.0_f64; 24];
    for time in times {
        let hour = (time.as_millis().div_euclid(HOUR_MS)).rem_euclid(24);
        hours[hour as usize] += 1.0;
    }
    let messages: f64 = hours.iter().sum();
    if messages < 10.0 {
        return 0.0;
    }
    let (_, variance) = mean_and_variance(&hours);
    let mut counts = hours.iter().filter(|count| **count > 0.0);
    let first = counts.next();
    let equal = counts.all(|count| Some(count) == first);
    match variance {
        variance if variance < 5.0 => 80.0,
        variance if variance > 100.0 => 60.0,
        _ if equal && messages > 20.0 => 90.0,
        _ => 0.0,
    }
}

/// Messages that have nearly the same words.
fn similarity<'a>(texts: impl Iterator<Item = &'a str>) -> f64 {
    let messages: Vec<HashSet<String>> = texts.take(COMPARED).map(words).collect();
    if messages.len() < 5 {
        return 0.0;
    }
    let (mut pairs, mut similar) = (0.0, 0.0);
    for (place, one) in messages.iter().enumerate() {
        for other in &messages[place + 1..] {
            pairs += 1.0;
            if jaccard(one, other) > 0.8 {
                similar += 1.0;
            }
        }
    }
    above(similar / pairs, &[(0.5, 100.0), (0.3, 70.0), (0.1, 40.0)])
}

fn words(text: &str) -> HashSet<String> {
    text.to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// How many of the words of either are in both.
fn jaccard(one: &HashSet<String>, other: &HashSet<String>) -> f64 {
    let both = one.intersection(other).count();
    let either = one.len() + other.len() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

/// Of all values that there are, not of a sample.
fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let number = values.len() as f64;
    let mean = values.iter().sum::<f64>() / number;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / number;
    (mean, variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times in these hours of a day, each so often.
    fn in_hours(hours: &[(i64, usize)]) -> impl Iterator<Item = Timestamp> {
        let time = |hour: i64| Timestamp::from_millis(1_767_225_600_000 + hour * 3_600_000);
        hours.iter().flat_map(move |(hour, times)| std::iter::repeat_n(time(*hour), *times))
    }

    #[test]
    fn a_ghost_is_online_and_silent() {
        for (messages, presences, expected) in [
            (0, 0, 0.0),
            (0, 1, 100.0),
            (1, 100, 100.0),
            (1, 99, 80.0),
            (1, 20, 80.0),
            (1, 19, 60.0),
            (1, 10, 60.0),
            (1, 9, 40.0),
            (1, 5, 40.0),
            (1, 4, 0.0),
        ] {
            assert_eq!(ghost(messages, presences), expected, "{messages} {presences}");
        }
    }

    #[test]
    fn a_lurker_watches() {
        for (messages, typing, presences, expected) in [
            (0, 0, 0, 0.0),
            (0, 0, 4, 0.0),
            (0, 0, 5, 100.0),
            (0, 1, 9, 0.0),
            (0, 1, 10, 80.0),
            (1, 0, 9, 0.0),
            (1, 0, 10, 80.0),
            (2, 0, 10, 0.0),
        ] {
            let came = lurker(messages, typing, presences);
            assert_eq!(came, expected, "{messages} {typing} {presences}");
        }
    }

    #[test]
    fn several_clients_are_a_share_of_presences() {
        for (several, presences, expected) in [
            (0, 0, 0.0),
            (1, 10, 0.0),
            (11, 100, 40.0),
            (3, 10, 40.0),
            (31, 100, 70.0),
            (5, 10, 70.0),
            (51, 100, 100.0),
        ] {
            assert_eq!(multi_client(several, presences), expected, "{several} {presences}");
        }
    }

    #[test]
    fn reactions_are_regular_fast_or_unlike_those_of_others() {
        // Two values about a mean have their distance from it as their deviation.
        let about = |mean: f64, deviation: f64| {
            let pair = [mean - deviation, mean + deviation];
            pair.into_iter().cycle().take(10).collect::<Vec<f64>>()
        };
        let check = |times: &[f64], guild: Option<f64>, expected: f64| {
            let came = timing(times, guild);
            assert!((came - expected).abs() < 1e-9, "{times:?} {guild:?}: {came}");
        };
        check(&about(5_000.0, 0.0)[..9], None, 0.0);
        check(&about(5_000.0, 0.0), None, 100.0 / 3.0);
        check(&about(5_000.0, 99.0), None, 100.0 / 3.0);
        check(&about(5_000.0, 100.0), None, 90.0 / 3.0);
        check(&about(5_000.0, 999.0), None, 0.1 / 3.0);
        check(&about(5_000.0, 1_000.0), None, 0.0);
        check(&about(5_000.0, 2_000.0), None, 0.0);
        check(&about(500.0, 0.0), Some(500.0), 100.0 / 3.0);
        check(&about(499.0, 0.0), Some(499.0), (100.0 + 0.2) / 3.0);
        check(&about(0.0, 0.0), Some(0.0), 100.0);
        check(&about(3_000.0, 1_000.0), Some(2_000.0), 50.0 / 3.0);
        check(&about(9_000.0, 1_000.0), Some(2_000.0), 100.0 / 3.0);
    }

    #[test]
    fn activity_is_too_even_or_too_narrow() {
        let check = |hours: &[(i64, usize)], expected: f64| {
            assert_eq!(activity(in_hours(hours)), expected, "{hours:?}");
        };
        check(&[(1, 9)], 0.0);
        // 10 in one hour have a variance of 100/24 - (10/24)² = 3.99, and 11 of 4.83, 12 of 5.75.
        check(&[(1, 10)], 80.0);
        check(&[(1, 11)], 80.0);
        check(&[(1, 12)], 0.0);
        check(&[(1, 20)], 0.0);
        check(&[(1, 21)], 90.0);
        // 50 in one hour have a variance of 2,500/24 - (50/24)² = 99.8, and 51 of 103.9.
        check(&[(1, 50)], 90.0);
        check(&[(1, 51)], 60.0);
        check(&[(1, 20), (5, 20)], 90.0);
        check(&[(1, 20), (5, 21)], 0.0);
        let all_day: Vec<(i64, usize)> = (0..24).map(|hour| (hour, 4)).collect();
        check(&all_day, 80.0);
        // Hours are those of UTC, of any day.
        check(&[(1, 10), (25, 11)], 90.0);
    }

    #[test]
    fn messages_are_alike_by_their_words() {
        // Six messages are 15 pairs, of which k equal ones make k (k - 1) / 2.
        let alike = |equal: usize, others: usize| {
            let equal = (0..equal).map(|_| "buy this now".to_owned());
            let texts: Vec<String> =
                equal.chain((0..others).map(|number| format!("other {number}"))).collect();
            similarity(texts.iter().map(String::as_str))
        };
        assert_eq!(alike(4, 0), 0.0);
        assert_eq!(alike(5, 0), 100.0);
        assert_eq!(alike(2, 3), 0.0, "1 of 10 is not above a tenth");
        assert_eq!(alike(3, 3), 40.0, "3 of 15");
        assert_eq!(alike(3, 2), 40.0, "3 of 10 is not above three tenths");
        assert_eq!(alike(4, 2), 70.0, "6 of 15");
        assert_eq!(alike(5, 1), 100.0, "10 of 15");
        // 20 are looked at.
        let texts: Vec<String> = (0..20).map(|number| format!("{number}")).collect();
        let more = texts.iter().map(String::as_str).chain(std::iter::repeat_n("same", 80));
        assert_eq!(similarity(more), 0.0);
        let of = |text: &str| words(text);
        assert_eq!(jaccard(&of("a b c d"), &of("A b c d e")), 0.8);
        assert_eq!(jaccard(&of("a  b\nc"), &of("C B A")), 1.0);
        assert_eq!(jaccard(&of(""), &of(" ")), 0.0);
    }
}
