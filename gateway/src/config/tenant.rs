//! `[tenants.NAME]`: whose documents there are, who may ask for them, and what is otherwise for
//! them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor, value};
use serde_json::{Map, Value};

use super::limits::LimitOverrides;

/// `[tenants.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// The plugins that it may use. Absent: all.
    pub plugins: Option<Vec<String>>,
    /// Who may ask.
    pub keys: Vec<Key>,
    /// Its settings by plugin. Each plugin's manifest says which there are.
    pub settings: BTreeMap<String, Settings>,
    /// Limits that differ for it.
    pub limits: LimitOverrides,
}

/// `[[tenants.NAME.keys]]`: as `loggia key new` prints it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    /// What plugins and logs call who asks.
    pub name: String,
    /// The SHA-256 of the key, in hexadecimal digits.
    pub sha256: String,
    /// What it may do.
    pub roles: Roles,
}

/// What a key may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Roles {
    /// In every plugin.
    Everywhere(Vec<Role>),
    /// In these plugins, and nothing in others.
    ByPlugin(BTreeMap<String, Vec<Role>>),
}

/// What operations of plugins ask for. Each may do what those before it may.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Read documents.
    Reader,
    /// Write documents.
    Writer,
    /// Everything.
    Admin,
}

/// A plugin's settings, as far as they are given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(pub Map<String, Value>);

impl Tenant {
    /// Whether it may use a plugin.
    #[must_use]
    pub fn has_plugin(&self, name: &str) -> bool {
        self.plugins.as_ref().is_none_or(|plugins| plugins.iter().any(|plugin| plugin == name))
    }
}

impl Role {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Writer, Self::Admin];

    /// Its name in `gateway.toml` and in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
        }
    }
}

impl Roles {
    /// The names of the roles in a plugin, with those that they include.
    #[must_use]
    pub fn names_in(&self, plugin: &str) -> Vec<String> {
        let roles = match self {
            Self::Everywhere(roles) => roles.as_slice(),
            Self::ByPlugin(plugins) => plugins.get(plugin).map_or(&[][..], Vec::as_slice),
        };
        let highest = roles.iter().max().copied();
        let included = Role::ALL.into_iter().filter(|role| Some(*role) <= highest);
        included.map(|role| role.name().to_owned()).collect()
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self::Everywhere(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RolesVisitor)
    }
}

struct RolesVisitor;

impl<'de> Visitor<'de> for RolesVisitor {
    type Value = Roles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of roles, or a table of lists by plugin")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Roles, A::Error> {
        let roles = value::SeqAccessDeserializer::new(seq);
        Deserialize::deserialize(roles).map(Roles::Everywhere)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Roles, A::Error> {
        let plugins = value::MapAccessDeserializer::new(map);
        Deserialize::deserialize(plugins).map(Roles::ByPlugin)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(deserializer)?;
        let members = table.into_iter().map(|(name, value)| Ok((name, json(value)?)));
        members.collect::<Result<_, String>>().map(Self).map_err(D::Error::custom)
    }
}

/// A date is the text that stands there. JSON has no infinite numbers.
fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) if number.is_finite() => number.into(),
        toml::Value::Float(number) => return Err(format!("a setting cannot be {number}")),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(instant) => instant.to_string().into(),
        toml::Value::Array(values) => {
            Value::Array(values.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(name, value)| Ok((name, json(value)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
    })
}
