//! The score that factors add up to, and what is said about it.

use serde::Serialize;

use super::Known;
use super::factors::Factors;

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    total_score: u32,
    confidence: &'static str,
    factors: Factors,
    reasons: Vec<String>,
    recommended_action: &'static str,
}

impl Known {
    pub(super) fn verdict(&self) -> Verdict {
        let factors = self.factors();
        let total_score = factors.total();
        Verdict {
            total_score,
            confidence: confidence(total_score),
            reasons: factors.reasons(self.counts.presences, self.messages.len()),
            recommended_action: action(total_score),
            factors,
        }
    }
}

impl Factors {
    /// The weighted sum, as a whole number.
    fn total(&self) -> u32 {
        let youth = (100.0 - self.account_age as f64 / 365.0 * 100.0).max(0.0);
        let sum = self.ghost_score * 0.2
            + self.lurker_score * 0.15
            + self.multi_client_freq * 0.2
            + self.timing_anomalies * 0.15
            + youth * 0.1
            + self.activity_pattern * 0.1
            + self.content_similarity * 0.1;
        sum.round() as u32
    }

    fn reasons(&self, presences: u64, messages: usize) -> Vec<String> {
        let reasons = [
            (
                self.ghost_score > 70.0,
                format!("High presence ({presences}) but low engagement ({messages} messages)"),
            ),
            (
                self.lurker_score > 70.0,
                "Lurker behavior detected - observing without participating".to_owned(),
            ),
            (
                self.multi_client_freq > 70.0,
                "Frequently online from multiple devices simultaneously".to_owned(),
            ),
            (
                self.timing_anomalies > 70.0,
                "Unusual timing patterns in messages and reactions (bot-like consistency)"
                    .to_owned(),
            ),
            (
                self.activity_pattern > 70.0,
                "Suspiciously regular activity patterns (automated behavior)".to_owned(),
            ),
            (self.account_age < 30, format!("New account ({} days old)", self.account_age)),
            (
                self.content_similarity > 70.0,
                "High message similarity detected (possible copy-paste or scripted messages)"
                    .to_owned(),
            ),
        ];
        let mut given: Vec<String> =
            reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect();
        if given.is_empty() {
            given.push("Monitoring for suspicious patterns".to_owned());
        }
        given
    }
}

fn confidence(score: u32) -> &'static str {
    match score {
        81.. => "high",
        61.. => "medium",
        _ => "low",
    }
}

fn action(score: u32) -> &'static str {
    match score {
        91.. => "Consider banning - very high suspicion",
        76.. => "Monitor closely - high suspicion",
        61.. => "Investigate further - moderate suspicion",
        _ => "No immediate action needed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(all: f64, account_age: u64) -> Factors {
        Factors {
            ghost_score: all,
            lurker_score: all,
            multi_client_freq: all,
            timing_anomalies: all,
            account_age,
            activity_pattern: all,
            content_similarity: all,
        }
    }

    #[test]
    fn weights_add_up_to_one() {
        assert_eq!(factors(100.0, 0).total(), 100);
        assert_eq!(factors(0.0, 9_999).total(), 0);
        assert_eq!(factors(0.0, 0).total(), 10);
        assert_eq!(factors(0.0, 365).total(), 0);
        assert_eq!(factors(0.0, 182).total(), 5);
        let only = |change: fn(&mut Factors)| {
            let mut factors = factors(0.0, 9_999);
            change(&mut factors);
            factors.total()
        };
        assert_eq!(only(|factors| factors.ghost_score = 100.0), 20);
        assert_eq!(only(|factors| factors.lurker_score = 100.0), 15);
        assert_eq!(only(|factors| factors.multi_client_freq = 100.0), 20);
        assert_eq!(only(|factors| factors.timing_anomalies = 100.0), 15);
        assert_eq!(only(|factors| factors.activity_pattern = 100.0), 10);
        assert_eq!(only(|factors| factors.content_similarity = 100.0), 10);
        assert_eq!(only(|factors| factors.ghost_score = 2.5), 1, "a half is rounded up");
    }

    #[test]
    fn what_is_said_changes_behind_each_threshold() {
        for (score, sure, does) in [
            (60, "low", "No immediate action needed"),
            (61, "medium", "Investigate further - moderate suspicion"),
            (75, "medium", "Investigate further - moderate suspicion"),
            (76, "medium", "Monitor closely - high suspicion"),
            (80, "medium", "Monitor closely - high suspicion"),
            (81, "high", "Monitor closely - high suspicion"),
            (90, "high", "Monitor closely - high suspicion"),
            (91, "high", "Consider banning - very high suspicion"),
        ] {
            assert_eq!((confidence(score), action(score)), (sure, does), "{score}");
        }
    }

    #[test]
    fn a_reason_is_given_for_each_factor_above_70() {
        assert_eq!(factors(70.0, 30).reasons(9, 1), ["Monitoring for suspicious patterns"]);
        let all = factors(70.1, 29).reasons(9, 1);
        let expected = [
            "High presence (9) but low engagement (1 messages)",
            "Lurker behavior detected - observing without participating",
            "Frequently online from multiple devices simultaneously",
            "Unusual timing patterns in messages and reactions (bot-like consistency)",
            "Suspiciously regular activity patterns (automated behavior)",
            "New account (29 days old)",
            "High message similarity detected (possible copy-paste or scripted messages)",
        ];
        assert_eq!(all, expected);
    }
}
