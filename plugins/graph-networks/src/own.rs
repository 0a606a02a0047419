//! A group's own fields: what a group is without its contacts, wires and subgroups.

use loggia_plugin_sdk::{Problem, digest_id};
use serde_json::{Map, Value};

use crate::fault::invalid;
use crate::key::Key;
use crate::members::{Members, quoted};
use crate::part::strings;
use crate::store::Held;

/// What is worked out anew each time a group is read.
const DERIVED: [&str; 3] = ["contactIds", "wireIds", "subgroupIds"];

/// How much of a type or an author can be looked for.
const MAX_FILTER_BYTES: usize = 1_000;

/// The own fields of a group, checked.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) id: String,
    /// The text of its own fields as an object.
    pub(crate) json: String,
    parent: Option<String>,
    attributes: Map<String, Value>,
}

impl Own {
    /// Read a group's own fields. `id` is the one that the path names.
    pub(crate) fn parse(text: &str, place: &str, id: Option<&str>) -> Result<Self, Problem> {
        let mut members = Members::parse(text, place)?;
        DERIVED.iter().for_each(|name| members.remove(name));
        if let Some(id) = id {
            members.fill_id("id", id, place)?;
        }
        let id = members.string("id", place)?.filter(|id| !id.is_empty());
        let id = id
            .ok_or_else(|| invalid(&format!("{place}/id"), "it must be an id that is not empty"))?;
        members.string("name", place)?;
        let parent = members.string("parentId", place)?;
        members.read::<Vec<String>>("boundaryContactIds", place, "it must be an array of ids")?;
        let attributes = members.read("attributes", place, "it must be an object")?;
        let attributes = attributes.unwrap_or_default();
        Ok(Self { id, json: members.to_json(), parent, attributes })
    }

    /// The document of the group, with its place and what it has.
    pub(crate) fn document(&self, network: &Key, holds: &Held) -> String {
        let (network_key, bytes) = (network.as_str(), self.json.len());
        let &Held { place, contacts, contact_bytes, next, .. } = holds;
        let mut document = format!(
            r#"{{"network":"{network_key}","bytes":{bytes},"place":{place},"contacts":{contacts},"contact_bytes":{contact_bytes},"next":{next},"#
        );
        if let Some(parent) = &self.parent {
            document += &format!("\"parent\":\"{}\",", network.group(parent));
        }
        for name in ["type", "author"] {
            let value = self.named(name).and_then(Value::as_str);
            if let Some(value) = value.filter(|value| value.len() <= MAX_FILTER_BYTES) {
                document += &format!("\"{name}\":{},", quoted(value));
            }
        }
        let tags = self.named("tags").and_then(Value::as_array);
        let tags = tags.into_iter().flatten().filter_map(Value::as_str);
        let attributes: Vec<String> =
            self.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
        let attributes = attributes.iter().map(String::as_str);
        format!(
            "{document}\"tags\":{},\"attributes\":{},\"group\":{}}}",
            strings(tags),
            strings(attributes),
            self.json
        )
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.json.len() as u64
    }

    /// An attribute of the bassline, by its name with or without the prefix.
    fn named(&self, name: &str) -> Option<&Value> {
        let prefixed = self.attributes.get(&format!("bassline.{name}"));
        prefixed.or_else(|| self.attributes.get(name))
    }
}

/// What stands for an attribute with a value: equal for equal JSON, however it is written.
pub(crate) fn attribute(name: &str, value: &Value) -> String {
    let mut text = String::new();
    write_canonical(&mut text, value);
    let mut digest = digest_id([name, &text]);
    digest.truncate(16);
    digest
}

/// JSON with its members in the order of their names, and each number in one form. The gateway has
/// bounded its depth.
fn write_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            for name in names {
                *text += &quoted(name);
                text.push(':');
                write_canonical(text, &members[name]);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for element in elements {
                write_canonical(text, element);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            // Below 2^53 a whole number is the same as a double and as an integer.
            match number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
                #[expect(clippy::cast_possible_truncation, reason = "whole, and small enough")]
                true => *text += &(number as i64).to_string(),
                false => *text += &number.to_string(),
            }
        }
        scalar => *text += &scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(text: &str) -> Value {
        let own = Own::parse(text, "/group", None).unwrap();
        serde_json::from_str(&own.document(&Key::of("n"), &Held { place: 2, ..Held::default() }))
            .unwrap()
    }

    #[test]
    fn what_is_derived_is_not_stored() {
        let text = r#"{"id":"g","contactIds":["x"],"name":"G","wireIds":1,"subgroupIds":null}"#;
        assert_eq!(document(text)["group"], json!({"id": "g", "name": "G"}));
    }

    #[test]
    fn prefixed_attributes_go_first_and_others_are_not_in_the_way() {
        let found = document(
            r#"{"id":"g","parentId":"p","attributes":{"type":5,"bassline.author":"ada","author":"bob",
                "tags":["a",1,"b"]}}"#,
        );
        assert_eq!(found.get("type"), None);
        assert_eq!((&found["author"], &found["tags"]), (&json!("ada"), &json!(["a", "b"])));
        assert_eq!(found["parent"], Key::of("n").group("p"));
        assert_eq!(found["attributes"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn equal_json_is_one_attribute() {
        let same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| serde_json::from_str(text).unwrap());
            attribute("a", &one) == attribute("a", &other)
        };
        for (one, other) in
            [("5", "5.0"), (r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"a":1}"#), ("-0.0", "0")]
        {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("5", "\"5\""),
            ("[1,2]", "[2,1]"),
            ("[1,1]", "[1]"),
            ("{}", "[]"),
            ("null", "false"),
            (r#"{"a":{}}"#, r#"{"a":[]}"#),
            ("0.1", "0.2"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
        assert_ne!(attribute("a", &json!(1)), attribute("b", &json!(1)));
    }

    #[test]
    fn a_group_of_another_form_is_refused_with_its_place() {
        for (text, pointer) in [
            ("{}", "/group/id"),
            (r#"{"id":"h"}"#, "/group/id"),
            (r#"{"id":"g","name":5}"#, "/group/name"),
            (r#"{"id":"g","parentId":[]}"#, "/group/parentId"),
            (r#"{"id":"g","boundaryContactIds":[1]}"#, "/group/boundaryContactIds"),
            (r#"{"id":"g","attributes":"x"}"#, "/group/attributes"),
        ] {
            let id = if text == "{}" { None } else { Some("g") };
            let problem = Own::parse(text, "/group", id).unwrap_err();
            assert_eq!(problem.extensions["pointer"], pointer, "{text}");
        }
    }
}
