//! A session's text taken apart at its history, without a look at anything else.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of the session without its history, and the history's own.
#[derive(Debug)]
pub(crate) struct Split<'a> {
    /// Members with their commas; the braces are left out.
    pub(crate) members: String,
    pub(crate) history: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Split<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SplitVisitor)
    }
}

struct SplitVisitor;

impl<'de> Visitor<'de> for SplitVisitor {
    type Value = Split<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Split<'de>, A::Error> {
        let mut split = Split { members: String::new(), history: None };
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            if name == "conversationHistory" {
                // JSON's null stands for none.
                split.history = Some(value).filter(|value| value.get() != "null");
                continue;
            }
            if !split.members.is_empty() {
                split.members.push(',');
            }
            split.members += &serde_json::Value::from(name).to_string();
            split.members.push(':');
            split.members += value.get();
        }
        Ok(split)
    }
}
