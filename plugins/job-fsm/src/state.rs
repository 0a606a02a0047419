//! The states of a job, and from which to which it may go.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// What a job is. `pending` and `processing` are taken as other names of two of them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    #[serde(alias = "pending")]
    Queued,
    Assigned,
    #[serde(alias = "processing")]
    Running,
    Completed,
    Failed,
    Canceled,
    TimedOut,
    Retrying,
    Rejected,
    Paused,
}

use State::{
    Assigned, Canceled, Completed, Failed, Paused, Queued, Rejected, Retrying, Running, TimedOut,
};

impl State {
    pub(crate) const ALL: [Self; 10] = [
        Queued, Assigned, Running, Completed, Failed, Canceled, TimedOut, Retrying, Rejected,
        Paused,
    ];

    /// What clients may call them: the names first, then the other names.
    pub(crate) const NAMES: [&'static str; 12] = [
        "queued",
        "assigned",
        "running",
        "completed",
        "failed",
        "canceled",
        "timed_out",
        "retrying",
        "rejected",
        "paused",
        "pending",
        "processing",
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The state of a name or of an other name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "pending" => Some(Queued),
            "processing" => Some(Running),
            name => Self::ALL.into_iter().find(|state| state.name() == name),
        }
    }

    /// Where a job may go from here.
    pub(crate) fn next(self) -> &'static [Self] {
        match self {
            Queued => &[Assigned, Canceled, Retrying, Rejected, Paused],
            Assigned => &[Running, Retrying, Failed, Canceled, TimedOut, Paused],
            Paused => &[Queued, Canceled],
            Running => &[Completed, Failed, TimedOut, Retrying, Canceled],
            Retrying => &[Queued, Failed, Canceled],
            TimedOut => &[Retrying, Failed],
            Completed | Failed | Canceled | Rejected => &[],
        }
    }

    /// Nothing follows but an operator's retry.
    pub(crate) fn is_ended(self) -> bool {
        self.next().is_empty()
    }

    /// A worker has it.
    pub(crate) fn is_held(self) -> bool {
        matches!(self, Assigned | Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line for each state, one mark for each that may follow, both in the order of `ALL`.
    const TABLE: [&str; 10] = [
        // QARCFXTYJP
        ".A...X.YJP", // queued
        "..R.FXTY.P", // assigned
        "...CFXTY..", // running
        "..........", // completed
        "..........", // failed
        "..........", // canceled
        "....F..Y..", // timed_out
        "Q...FX....", // retrying
        "..........", // rejected
        "Q....X....", // paused
    ];

    #[test]
    fn each_of_the_100_pairs_is_as_the_table_says() {
        for (from, line) in State::ALL.into_iter().zip(TABLE) {
            for (to, mark) in State::ALL.into_iter().zip(line.chars()) {
                assert_eq!(from.next().contains(&to), mark != '.', "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), Some(state));
            let json = format!("\"{}\"", state.name());
            assert_eq!(serde_json::from_str::<State>(&json).expect("a state"), state);
            assert_eq!(serde_json::to_string(&state).expect("text"), json);
        }
        assert_eq!(State::parse("pending"), Some(Queued));
        assert_eq!(State::parse("processing"), Some(Running));
        assert_eq!(State::parse("done"), None);
    }

    #[test]
    fn four_states_are_the_end() {
        let ended: Vec<State> = State::ALL.into_iter().filter(|state| state.is_ended()).collect();
        assert_eq!(ended, [Completed, Failed, Canceled, Rejected]);
    }
}
