//! A contact or a wire that is to be stored: checked, completed, and made a document.

use loggia_plugin_sdk::Problem;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::cell::Cell;
use crate::fault::{duplicate, invalid, limit_exceeded};
use crate::key::{Key, home_in, plain_id_in};
use crate::members::{Members, quoted};
use crate::settings::Settings;

/// Where it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Home<'a> {
    pub(crate) network: &'a Key,
    /// The id of its group.
    pub(crate) group: &'a str,
    /// The id of the group's document.
    pub(crate) key: String,
}

impl<'a> Home<'a> {
    pub(crate) fn of(network: &'a Key, group: &'a str) -> Self {
        Self { network, group, key: network.group(group) }
    }

    /// What the contacts and wires of the group know it by.
    pub(crate) fn at(&self) -> &str {
        home_in(&self.key)
    }
}

/// One document that is to be stored.
#[derive(Debug)]
pub(crate) struct Part {
    /// The id of its document.
    pub(crate) key: String,
    pub(crate) bytes: u64,
    /// Where it stands in the request's body.
    pub(crate) pointer: String,
    /// The documents of a wire's two contacts.
    pub(crate) ends: Option<[String; 2]>,
    /// Its document without a place.
    text: String,
}

impl Part {
    /// Its document, at a place among those of its group.
    pub(crate) fn document(&self, place: i64) -> String {
        format!("{{\"p\":{place},{}", &self.text[1..])
    }
}

/// What is sent: the text, where it stands in the body, and the id that the path names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) text: &'a str,
    pub(crate) pointer: &'a str,
    pub(crate) id: Option<&'a str>,
}

/// A contact that a client sent.
pub(crate) fn contact(home: &Home<'_>, sent: Sent<'_>, limits: &Settings) -> Result<Part, Problem> {
    let place = sent.pointer;
    let mut members = Members::parse(sent.text, place)?;
    let id = complete(&mut members, home, sent)?;
    let mode = one_of(&mut members, "blendMode", &["accept-last", "merge"], place)?;
    let is_boundary = members.read::<bool>("isBoundary", place, "it must be true or false")?;
    let direction = members.string("boundaryDirection", place)?;
    if direction.as_deref().is_some_and(|text| !["input", "output"].contains(&text)) {
        let place = format!("{place}/boundaryDirection");
        return Err(invalid(&place, "it must be input or output"));
    }
    members.string("name", place)?;
    attributes(&members, place)?;
    let content = members.get("content").map(|text| text.to_owned().into());
    ["id", "groupId", "content", "blendMode"].iter().for_each(|name| members.remove(name));
    let key = home.network.part(&id);
    let cell = Cell {
        home: home.at().into(),
        place: 0,
        id: plain_id_in(&key).is_none().then(|| id.as_str().into()),
        boundary: direction.filter(|_| is_boundary == Some(true)).map(Into::into),
        merges: mode == "merge",
        content,
        others: members.to_members().map(Into::into),
    };
    let bytes = cell.json(&id, home.group).len() as u64;
    if bytes > limits.max_contact_bytes {
        let detail = format!(
            "{place}: the contact has {bytes} bytes; the setting max_contact_bytes is {}",
            limits.max_contact_bytes
        );
        return Err(limit_exceeded("max_contact_bytes", limits.max_contact_bytes, &detail));
    }
    let text = json!(cell).to_string();
    Ok(Part { key, bytes, pointer: place.to_owned(), ends: None, text })
}

/// A wire that a client sent.
pub(crate) fn wire(home: &Home<'_>, sent: Sent<'_>) -> Result<Part, Problem> {
    let place = sent.pointer;
    let mut members = Members::parse(sent.text, place)?;
    let id = complete(&mut members, home, sent)?;
    let end = |name: &str| {
        let end = members.string(name, place)?.filter(|id| !id.is_empty());
        end.ok_or_else(|| invalid(&format!("{place}/{name}"), "it must be a contact's id"))
    };
    let (source, target) = (home.network.part(&end("fromId")?), home.network.part(&end("toId")?));
    let wire_type = one_of(&mut members, "type", &["bidirectional", "directed"], place)?;
    members.read::<f64>("priority", place, "it must be a number")?;
    attributes(&members, place)?;
    let json = members.to_json();
    let (directed, bytes) = (wire_type == "directed", json.len() as u64);
    let (network, at) = (home.network.as_str(), home.at());
    let text = format!(
        r#"{{"n":"{network}","g":"{at}","b":{bytes},"s":"{source}","t":"{target}","d":{directed},"w":{json}}}"#
    );
    let (key, pointer) = (home.network.part(&id), place.to_owned());
    Ok(Part { key, bytes, pointer, ends: Some([source, target]), text })
}

/// Refuse an id that stands twice.
pub(crate) fn refuse_repeated<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    what: &str,
) -> Result<(), Problem> {
    let mut seen = std::collections::HashSet::new();
    match parts.into_iter().find(|part| !seen.insert(part.key.as_str())) {
        Some(repeated) => Err(duplicate(&repeated.pointer, what)),
        None => Ok(()),
    }
}

/// Its id and that of its group, filled in where the client has left them out.
fn complete(members: &mut Members<'_>, home: &Home<'_>, sent: Sent<'_>) -> Result<String, Problem> {
    members.fill_id("groupId", home.group, sent.pointer)?;
    if let Some(id) = sent.id {
        members.fill_id("id", id, sent.pointer)?;
        return Ok(id.to_owned());
    }
    let id = members.string("id", sent.pointer)?.filter(|id| !id.is_empty());
    id.ok_or_else(|| invalid(&format!("{}/id", sent.pointer), "it must be an id that is not empty"))
}

/// A member with one of these values; the first is filled in.
fn one_of(
    members: &mut Members<'_>,
    name: &'static str,
    values: &[&str],
    place: &str,
) -> Result<String, Problem> {
    match members.string(name, place)? {
        None => {
            members.set_string(name, values[0]);
            Ok(values[0].to_owned())
        }
        Some(value) if values.contains(&value.as_str()) => Ok(value),
        Some(_) => {
            let wanted = format!("it must be {}", values.join(" or "));
            Err(invalid(&format!("{place}/{name}"), &wanted))
        }
    }
}

fn attributes(members: &Members<'_>, place: &str) -> Result<(), Problem> {
    members.read::<Map<String, Value>>("attributes", place, "it must be an object").map(|_| ())
}

/// The texts of a list's elements.
pub(crate) fn elements<'a>(text: Option<&'a str>, place: &str) -> Result<Vec<&'a str>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let list: Result<Vec<&RawValue>, _> = serde_json::from_str(text);
    let list = list.map_err(|_| invalid(place, "it must be an array"))?;
    Ok(list.into_iter().map(RawValue::get).collect())
}

/// A JSON array of strings.
pub(crate) fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent<'a>(text: &'a str, id: Option<&'a str>) -> Sent<'a> {
        Sent { text, pointer: "/contacts/0", id }
    }

    fn parse(text: &str) -> Result<Value, Problem> {
        let network = Key::of("n");
        let home = Home::of(&network, "g");
        let part = contact(&home, sent(text, None), &Settings::default())?;
        Ok(serde_json::from_str(&part.document(3)).unwrap())
    }

    #[test]
    fn what_a_contact_lacks_is_filled_in() {
        let document = parse(r#"{"id":"c\"1","content":null,"extra":1.50}"#).unwrap();
        let text = document.to_string();
        let cell: Cell<'_> = serde_json::from_str(&text).unwrap();
        let expected = concat!(
            r#"{"groupId":"g","id":"c\"1","extra":1.50,"content":null,"#,
            r#""blendMode":"accept-last"}"#
        );
        assert_eq!((cell.json("c\"1", "g").as_str(), cell.place), (expected, 3));
        assert_eq!(cell.home, Key::of("n").home("g"));
        assert_eq!(cell.boundary, None);
    }

    #[test]
    fn what_a_contact_has_by_its_place_is_not_stored() {
        let document = parse(r#"{"id":"c","groupId":"g","blendMode":"accept-last"}"#).unwrap();
        assert_eq!(document, json!({"g": Key::of("n").home("g"), "p": 3}));
        let document = parse(r#"{"id":"c d","blendMode":"merge","content":"\n"}"#).unwrap();
        let expected =
            json!({"g": Key::of("n").home("g"), "p": 3, "i": "c d", "u": true, "c": "\"\\n\""});
        assert_eq!(document, expected);
    }

    #[test]
    fn only_a_boundary_has_a_direction() {
        let boundary = |flag: bool| {
            let text = format!(
                r#"{{"id":"c","blendMode":"merge","isBoundary":{flag},"boundaryDirection":"input"}}"#
            );
            parse(&text).unwrap().get("b").cloned()
        };
        assert_eq!((boundary(true), boundary(false)), (Some(json!("input")), None));
    }

    #[test]
    fn a_contact_of_another_form_is_refused_with_its_place() {
        for (text, pointer) in [
            ("{}", "/contacts/0/id"),
            (r#"{"id":""}"#, "/contacts/0/id"),
            (r#"{"id":1}"#, "/contacts/0/id"),
            (r#"{"id":"c","groupId":"h"}"#, "/contacts/0/groupId"),
            (r#"{"id":"c","groupId":null}"#, "/contacts/0/groupId"),
            (r#"{"id":"c","blendMode":"x"}"#, "/contacts/0/blendMode"),
            (r#"{"id":"c","isBoundary":1}"#, "/contacts/0/isBoundary"),
            (r#"{"id":"c","boundaryDirection":"up"}"#, "/contacts/0/boundaryDirection"),
            (r#"{"id":"c","name":[]}"#, "/contacts/0/name"),
            (r#"{"id":"c","attributes":[]}"#, "/contacts/0/attributes"),
            ("[]", "/contacts/0"),
        ] {
            let problem = parse(text).unwrap_err();
            assert_eq!(problem.extensions["pointer"], pointer, "{text}");
        }
    }

    #[test]
    fn a_wire_has_two_ends_and_a_type() {
        let network = Key::of("n");
        let home = Home::of(&network, "g");
        let parse = |text: &str| wire(&home, sent(text, Some("w")));
        let made = parse(r#"{"fromId":"a","toId":"b"}"#).unwrap();
        let document: Value = serde_json::from_str(&made.document(0)).unwrap();
        let expected = json!({
            "id": "w", "groupId": "g", "fromId": "a", "toId": "b", "type": "bidirectional",
        });
        assert_eq!(document["w"], expected);
        assert_eq!(document["s"], network.part("a"));
        assert_eq!((&document["t"], &document["d"]), (&json!(network.part("b")), &json!(false)));
        for text in [
            r#"{"toId":"b"}"#,
            r#"{"fromId":"a","toId":5}"#,
            r#"{"fromId":"a","toId":"b","type":"both"}"#,
            r#"{"fromId":"a","toId":"b","priority":"1"}"#,
            r#"{"fromId":"a","toId":"b","id":"v"}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
