//! Changing parts of a JSON text: members of a body, elements of an array.

use serde_json::{Map, Value};

/// Why a part cannot be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EditFault {
    /// A member stands where an object is needed for what is below it.
    NotAnObject,
    /// What is to be appended to is no array.
    NotAnArray,
    /// The text is no JSON.
    NotJson,
}

/// Set a member of a body, by its pointer. Objects that are missing on the way are made; `null`
/// counts as missing, as in a merge patch.
///
/// # Errors
/// Something on the way is no object. Arrays have no members.
pub fn set(body: &mut Value, pointer: &str, value: Value) -> Result<(), EditFault> {
    let mut place = body;
    for token in tokens(pointer) {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let members = place.as_object_mut().ok_or(EditFault::NotAnObject)?;
        place = members.entry(token).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

/// Make a member null where there is one.
pub fn clear(body: &mut Value, pointer: &str) {
    let place = tokens(pointer).try_fold(body, |place, token| {
        place.as_object_mut().and_then(|members| members.get_mut(&token))
    });
    if let Some(place) = place {
        *place = Value::Null;
    }
}

/// An array with one more element. Nothing and `null` count as an empty one.
///
/// # Errors
/// It is something else.
pub fn append(array: Option<&str>, element: Value) -> Result<Value, EditFault> {
    let array: Value = match array {
        None => Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|_| EditFault::NotJson)?,
    };
    match array {
        Value::Null => Ok(Value::Array(vec![element])),
        Value::Array(mut elements) => {
            elements.push(element);
            Ok(Value::Array(elements))
        }
        _ => Err(EditFault::NotAnArray),
    }
}

/// The tokens of a pointer that the manifest's schema has checked.
pub fn tokens(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_set_through_objects_only() {
        for (body, pointer, expected) in [
            (json!({}), "/a", Ok(json!({"a": 1}))),
            (json!({"a": 0, "b": 2}), "/a", Ok(json!({"a": 1, "b": 2}))),
            (json!({}), "/a/b/c", Ok(json!({"a": {"b": {"c": 1}}}))),
            (json!({"a": null}), "/a/b", Ok(json!({"a": {"b": 1}}))),
            (json!({"a": {"x": 2}}), "/a/b", Ok(json!({"a": {"x": 2, "b": 1}}))),
            (json!({}), "/a~1b/m~0n", Ok(json!({"a/b": {"m~n": 1}}))),
            (json!({"a": [5]}), "/a/0", Err(EditFault::NotAnObject)),
            (json!({"a": "text"}), "/a/b", Err(EditFault::NotAnObject)),
        ] {
            let mut changed = body.clone();
            let done = set(&mut changed, pointer, json!(1));
            assert_eq!(done.map(|()| changed), expected, "{body} {pointer}");
        }
    }

    #[test]
    fn only_what_is_there_is_cleared() {
        let mut body = json!({"a": {"b": 1}, "c": [1]});
        for pointer in ["/a/b", "/a/x", "/x/y", "/c/0"] {
            clear(&mut body, pointer);
        }
        assert_eq!(body, json!({"a": {"b": null}, "c": [1]}));
    }

    #[test]
    fn an_element_is_appended_to_an_array_or_to_nothing() {
        for (array, expected) in [
            (None, Ok(json!([7]))),
            (Some("null"), Ok(json!([7]))),
            (Some("[]"), Ok(json!([7]))),
            (Some("[1, [2]]"), Ok(json!([1, [2], 7]))),
            (Some("{}"), Err(EditFault::NotAnArray)),
            (Some("\"a\""), Err(EditFault::NotAnArray)),
            (Some("["), Err(EditFault::NotJson)),
        ] {
            assert_eq!(append(array, json!(7)), expected, "{array:?}");
        }
    }
}
