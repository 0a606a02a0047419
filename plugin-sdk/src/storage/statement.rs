//! What the statements of a plugin have in common: their declaration, as it stands in the
//! manifest, and the call by name.

use serde::Serialize;
use serde::ser::Serializer;

/// A statement as the manifest has it. All of it is known when the plugin is compiled.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Definition {
    pub(super) name: &'static str,
    #[serde(flatten)]
    kind: Kind,
    #[serde(rename = "where", skip_serializing_if = "Conditions::is_empty")]
    conditions: Conditions,
    #[serde(rename = "order", skip_serializing_if = "Orders::is_empty")]
    orders: Orders,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "as_map")]
    set: Pairs,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unordered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'static str>,
}

/// Names with what they stand for.
type Pairs = &'static [(&'static str, &'static str)];

/// The member that tells the kind, with the query or the collection.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Select(&'static str),
    Scope(&'static str),
    Update(&'static str),
    Delete(&'static str),
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Conditions {
    Always(&'static str),
    Optional(&'static [&'static str]),
}

/// In which order documents are taken.
#[derive(Clone, Copy, Debug)]
enum Orders {
    /// One of these, by the name that clients know, with its columns.
    Named(Pairs),
    /// Always by these columns.
    Only(&'static str),
}

impl Orders {
    const fn is_empty(&self) -> bool {
        matches!(self, Self::Named(orders) if orders.is_empty())
    }
}

impl Serialize for Orders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Only(columns) => serializer.collect_map([("only", columns)]),
            Self::Named(orders) => {
                serializer.collect_map(orders.iter().map(|(name, by)| (order_name(name), by)))
            }
        }
    }
}

impl Conditions {
    const fn is_empty(&self) -> bool {
        matches!(self, Self::Optional(list) if list.is_empty())
    }
}

impl Definition {
    pub(super) const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            conditions: Conditions::Optional(&[]),
            orders: Orders::Named(&[]),
            set: &[],
            locked: None,
            expires: None,
            unordered: false,
            plan: None,
        }
    }

    /// Conditions that are left out when their parameters are not given.
    pub(super) const fn conditions(self, conditions: &'static [&'static str]) -> Self {
        assert!(self.conditions.is_empty(), "a statement has conditions or a filter, once");
        Self { conditions: Conditions::Optional(conditions), ..self }
    }

    /// Orders of which a page has one.
    pub(super) const fn orders(self, orders: Pairs) -> Self {
        Self { orders: Orders::Named(orders), ..self }
    }

    /// The one order of an update or a delete.
    pub(super) const fn only_order(self, columns: &'static str) -> Self {
        Self { orders: Orders::Only(columns), ..self }
    }

    pub(super) const fn set(self, set: Pairs) -> Self {
        Self { set, ..self }
    }

    pub(super) const fn skip_locked(self) -> Self {
        Self { locked: Some("skip"), ..self }
    }

    pub(super) const fn expires(self, expression: &'static str) -> Self {
        Self { expires: Some(expression), ..self }
    }

    pub(super) const fn unordered(self) -> Self {
        Self { unordered: true, ..self }
    }

    pub(super) const fn generic_plan(self) -> Self {
        Self { plan: Some("generic"), ..self }
    }

    /// How clients name its orders.
    pub(super) fn order_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let orders = match self.orders {
            Orders::Named(orders) => orders,
            Orders::Only(_) => &[],
        };
        orders.iter().map(|(name, _)| *name)
    }

    /// The condition that always holds.
    pub(super) const fn filter(self, sql: &'static str) -> Self {
        assert!(self.conditions.is_empty(), "a statement has conditions or a filter, once");
        Self { conditions: Conditions::Always(sql), ..self }
    }
}

/// The manifest's name of an order that clients know by another one: a leading `-` becomes `desc`
/// at the end, and words are in lower case with hyphens between them.
pub(super) fn order_name(shown: &str) -> String {
    let (shown, descending) = match shown.strip_prefix('-') {
        Some(rest) => (rest, "-desc"),
        None => (shown, ""),
    };
    let mut name = String::with_capacity(shown.len() + descending.len() + 2);
    for character in shown.chars() {
        match character {
            '_' => name.push('-'),
            'A'..='Z' => {
                name.push('-');
                name.push(character.to_ascii_lowercase());
            }
            _ => name.push(character),
        }
    }
    name + descending
}

fn as_map<S: Serializer>(pairs: &Pairs, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::order_name;

    #[test]
    fn an_order_has_a_name_in_kebab_case() {
        for (shown, name) in [
            ("newest", "newest"),
            ("updatedAt", "updated-at"),
            ("-updatedAt", "updated-at-desc"),
            ("created_at", "created-at"),
            ("-created_at", "created-at-desc"),
        ] {
            assert_eq!(order_name(shown), name);
        }
    }
}
