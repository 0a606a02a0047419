//! What an operator can set for each tenant.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

use crate::event::KINDS;

#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// How many days events are kept, by their type; 0 is for ever.
    pub(crate) retention_days: RetentionDays,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetentionDays {
    presence: u32,
    typing: u32,
    message: u32,
    join: u32,
    deleted_message: u32,
    reaction_time: u32,
    role_change: u32,
}

impl Default for RetentionDays {
    fn default() -> Self {
        Self {
            presence: 90,
            typing: 90,
            message: 90,
            join: 90,
            deleted_message: 30,
            reaction_time: 90,
            role_change: 90,
        }
    }
}

impl RetentionDays {
    /// How long each kind is kept, if not for ever.
    pub(crate) fn by_kind(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let days = [
            self.presence,
            self.typing,
            self.message,
            self.join,
            self.deleted_message,
            self.reaction_time,
            self.role_change,
        ];
        let all = KINDS.into_iter().zip(days.map(i64::from));
        all.filter(|(_, days)| *days > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_its_own_days() {
        let days = serde_json::json!({"message": 7, "join": 0});
        let days: RetentionDays = serde_json::from_value(days).unwrap();
        let expected = [
            ("presence", 90),
            ("typing", 90),
            ("message", 7),
            ("deleted_message", 30),
            ("reaction_time", 90),
            ("role_change", 90),
        ];
        assert_eq!(days.by_kind().collect::<Vec<_>>(), expected);
    }
}
