//! RFC 7396, for a handler that must see the merged value before it writes.

use serde_json::{Map, Value};

/// Apply a merge patch (RFC 7396): members of the patch are set, and those that are null are
/// removed.
///
/// A handler that need not look at the outcome leaves it to
/// [`Collection::merge`](crate::Collection::merge), which loses no race.
///
/// ```
/// use loggia_plugin_sdk::merge_patch;
/// use serde_json::json;
///
/// let mut note = json!({"title": "a", "author": {"name": "b", "age": 3}});
/// merge_patch(&mut note, json!({"author": {"age": null}, "done": true}));
/// assert_eq!(note, json!({"title": "a", "author": {"name": "b"}, "done": true}));
/// ```
pub fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Map::new().into();
    }
    let Value::Object(members) = target else { return };
    for (name, change) in patch {
        if change.is_null() {
            // The members that stay keep their order.
            members.shift_remove(&name);
        } else {
            merge_patch(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of RFC 7396, appendix A: what is there, the patch, and what there is afterwards.
    const CASES: [(&str, &str, &str); 15] = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];

    #[test]
    fn the_cases_of_the_rfc_hold() {
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        for (target, patch, expected) in CASES {
            let mut merged = value(target);
            merge_patch(&mut merged, value(patch));
            assert_eq!(merged.to_string(), expected, "{target} with {patch}");
        }
    }

    #[test]
    fn members_keep_their_order() {
        let mut merged = serde_json::json!({"c": 1, "b": 2, "a": 3});
        merge_patch(&mut merged, serde_json::json!({"c": null, "d": 4, "a": 5}));
        assert_eq!(merged.to_string(), r#"{"b":2,"a":5,"d":4}"#);
    }
}
