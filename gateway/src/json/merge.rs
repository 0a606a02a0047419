//! RFC 7396 merge patches.

use serde_json::{Map, Value};

/// Apply a merge patch. Both texts must have passed the check, so that no number changes its
/// value; the result may be too large or too deep, and is for the caller to check.
///
/// # Errors
/// One of the texts is no JSON.
pub fn merge(target: &str, patch: &str) -> Result<String, serde_json::Error> {
    let mut target = serde_json::from_str(target)?;
    apply(&mut target, serde_json::from_str(patch)?);
    serde_json::to_string(&target)
}

/// Recursion is bounded by the depth of the patch.
fn apply(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(members) = target {
        // In one go, since removing a single member in order moves all behind it.
        members.retain(|name, _| patch.get(name) != Some(&Value::Null));
        for (name, change) in patch.into_iter().filter(|(_, change)| !change.is_null()) {
            apply(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of RFC 7396, appendix A.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        let table = [
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
        for (target, patch, result) in table {
            assert_eq!(merge(target, patch).ok().as_deref(), Some(result), "{target} {patch}");
        }
    }

    /// The example of RFC 7396, section 3, whose target has members at two levels.
    #[test]
    fn members_keep_their_order() {
        let target = r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"unchanged"}"#;
        let patch = r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}"#;
        let result = r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"unchanged","phoneNumber":"+01-123-456-7890"}"#;
        assert_eq!(merge(target, patch).ok().as_deref(), Some(result));
    }

    #[test]
    fn numbers_keep_their_values() {
        let target = r#"{"a":9223372036854775807,"b":-9223372036854775808,"c":1e20,"d":0.1}"#;
        let result = merge(target, r#"{"e":123456789012345680000,"f":1.7976931348623157e308}"#);
        let expected = r#"{"a":9223372036854775807,"b":-9223372036854775808,"c":1e+20,"d":0.1,"e":1.2345678901234568e+20,"f":1.7976931348623157e+308}"#;
        assert_eq!(result.ok().as_deref(), Some(expected));
    }

    /// In quadratic time this would take minutes.
    #[test]
    fn a_patch_of_many_members_takes_linear_time() {
        let members = |value| {
            let members: Vec<_> = (0..100_000).map(|i| format!("\"{i}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(merge(&members("1"), &members("null")).ok().as_deref(), Some("{}"));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(merge("{", "{}").is_err());
        assert!(merge("{}", "").is_err());
    }
}
