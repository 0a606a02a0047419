//! The members of a JSON object as a client sent them: names and the texts of values, in their order.
//!
//! Nothing is lost or written otherwise on the way into a document and back: numbers keep their digits.

use std::borrow::Cow;
use std::fmt;

use loggia_plugin_sdk::Problem;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::fault::invalid;

#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A member's name, borrowed where it holds no escape.
struct Name<'a>(Cow<'a, str>);

impl<'a> Members<'a> {
    /// Read the text of an object. `place` points to it in the request's body.
    pub(crate) fn parse(text: &'a str, place: &str) -> Result<Self, Problem> {
        serde_json::from_str(text).map_err(|_| invalid(place, "it must be a JSON object"))
    }

    /// The text of a member's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_ref())
    }

    /// The text of a member that is there and not null.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|text| *text != "null")
    }

    /// A member that is a string, if it is given.
    pub(crate) fn string(&self, name: &str, place: &str) -> Result<Option<String>, Problem> {
        self.read(name, place, "it must be a string")
    }

    /// A member of a type, if it is given.
    pub(crate) fn read<T: for<'t> Deserialize<'t>>(
        &self,
        name: &str,
        place: &str,
        wanted: &str,
    ) -> Result<Option<T>, Problem> {
        let value = self.given(name).map(serde_json::from_str).transpose();
        value.map_err(|_| invalid(&format!("{place}/{name}"), wanted))
    }

    /// Put a string before the others where there is none; one that is there must be the same.
    pub(crate) fn fill_id(
        &mut self,
        name: &'static str,
        id: &str,
        place: &str,
    ) -> Result<(), Problem> {
        match self.get(name).map(serde_json::from_str::<String>) {
            None => self.0.insert(0, (Cow::Borrowed(name), quoted(id).into())),
            Some(Ok(sent)) if sent == id => {}
            Some(_) => {
                let place = format!("{place}/{name}");
                return Err(invalid(&place, "it is not the id of the place where it stands"));
            }
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Set a member to the text of a value; a new one comes last.
    pub(crate) fn set(&mut self, name: &'static str, text: impl Into<Cow<'a, str>>) {
        let text = text.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = text,
            None => self.0.push((Cow::Borrowed(name), text)),
        }
    }

    /// Set a member to a string.
    pub(crate) fn set_string(&mut self, name: &'static str, value: &str) {
        self.set(name, quoted(value));
    }

    /// The text of the object.
    pub(crate) fn to_json(&self) -> String {
        let mut json = "{".to_owned();
        self.write(&mut json);
        json.push('}');
        json
    }

    /// The text of the members as it stands between the braces of the object, if there are any.
    pub(crate) fn to_members(&self) -> Option<String> {
        let mut json = String::new();
        self.write(&mut json);
        (!json.is_empty()).then_some(json)
    }

    fn write(&self, json: &mut String) {
        json.reserve(self.0.iter().map(|(name, text)| name.len() + text.len() + 4).sum());
        for (place, (name, text)) in self.0.iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            *json += &quoted(name);
            json.push(':');
            *json += text;
        }
    }
}

/// A string in JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    members.push((name, Cow::Borrowed(value.get())));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let text = r#"{"b":1.50,"a\"":[ 1,{"x":null}],"n":null}"#;
        let mut members = Members::parse(text, "").unwrap();
        assert_eq!(members.to_json(), text);
        assert_eq!((members.get("n"), members.given("n")), (Some("null"), None));
        members.remove("b");
        members.set_string("n", "é\n");
        members.set("z", "2");
        assert_eq!(members.to_json(), r#"{"a\"":[ 1,{"x":null}],"n":"é\n","z":2}"#);
        ["n", "z"].iter().for_each(|name| members.remove(name));
        assert_eq!(members.to_members().as_deref(), Some(r#""a\"":[ 1,{"x":null}]"#));
        assert_eq!(Members::default().to_members(), None);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        for text in ["[]", "1", "null", "\"{}\""] {
            let problem = Members::parse(text, "/contacts/3").unwrap_err();
            assert_eq!(problem.extensions["pointer"], "/contacts/3", "{text}");
        }
        let members = Members::parse(r#"{"name":5}"#, "").unwrap();
        assert_eq!(members.string("name", "/g").unwrap_err().extensions["pointer"], "/g/name");
    }
}
