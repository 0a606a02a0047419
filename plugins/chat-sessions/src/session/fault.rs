//! What is wrong with a session, and where.
//!
//! Reading a session that is right costs one pass; only when that has failed is it read again to
//! find the place.

use loggia_plugin_sdk::Problem;

use super::members::NAMES;
use super::place;

/// The problem with a text that is no session, as reading it has found.
pub(super) fn explain(text: &str, fault: &serde_json::Error) -> Problem {
    let unknown = unknown_members(text);
    if !unknown.is_empty() {
        let detail = format!("a session has no such member: {}", unknown.join(", "));
        return Problem::new(400, "unknown-member", detail).with("members", unknown);
    }
    misshapen(text, fault)
}

/// The same for the text of a part of a session, whose members are open.
pub(crate) fn misshapen(text: &str, fault: &serde_json::Error) -> Problem {
    invalid(&place::pointer(text, place::offset(text, fault)), &fault.to_string())
}

/// A member is not what it must be.
pub(crate) fn invalid(pointer: &str, detail: &str) -> Problem {
    Problem::new(422, "invalid-session", detail).with("pointer", pointer)
}

/// All of them at once. A text that is no object has none.
fn unknown_members(text: &str) -> Vec<String> {
    place::members(text).into_keys().filter(|name| !NAMES.contains(&name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    fn check(text: &str, status: u16, pointer: &str) {
        let Err(problem) = Session::parse(text, "a") else { panic!("{text} was taken") };
        assert_eq!(problem.status, status, "{text}: {problem:?}");
        assert_eq!(problem.extensions["pointer"], pointer, "{text}: {problem:?}");
    }

    /// A session with this member besides its state.
    fn check_member(member: &str, pointer: &str) {
        check(&format!(r#"{{"state": "active", {member}}}"#), 422, pointer);
    }

    #[test]
    fn a_session_is_an_object_with_a_state() {
        for text in ["[]", "1", "null", r#"["a", "active"]"#, "{}"] {
            check(text, 422, "");
        }
        for state in ["1", "null", r#""open""#, r#""ACTIVE""#] {
            check(&format!(r#"{{"state": {state}}}"#), 422, "/state");
        }
    }

    #[test]
    fn unknown_members_are_all_named() {
        let text = r#"{"state": 1, "b/c": 1, "State": 2}"#;
        let Err(problem) = Session::parse(text, "a") else { panic!("it was taken") };
        assert_eq!((problem.status, problem.code.as_str()), (400, "unknown-member"));
        assert_eq!(problem.extensions["members"], serde_json::json!(["State", "b/c"]));
    }

    #[test]
    fn what_is_filled_in_is_of_its_type_and_not_null() {
        for (name, values) in [
            ("id", vec!["1", "null"]),
            ("version", vec!["0", "-1", "1.5", "\"1\"", "null"]),
            ("createdAt", vec!["1", "\"2024-01-01\"", "null"]),
            ("updatedAt", vec!["\"now\"", "null"]),
        ] {
            for value in values {
                check_member(&format!(r#""{name}": {value}"#), &format!("/{name}"));
            }
        }
    }

    #[test]
    fn each_other_member_is_of_its_type() {
        check_member(r#""expiresAt": "tomorrow""#, "/expiresAt");
        check_member(r#""agentIds": "a""#, "/agentIds");
        check_member(r#""agentIds": ["a", 1]"#, "/agentIds/1");
        check_member(r#""sharedContext": []"#, "/sharedContext");
        check_member(r#""metadata": ["u", [], "t"]"#, "/metadata");
        check_member(r#""metadata": {"userId": 1}"#, "/metadata/userId");
        check_member(r#""metadata": {"title": {}}"#, "/metadata/title");
        check_member(r#""metadata": {"tags": ["a", null]}"#, "/metadata/tags/1");
    }

    #[test]
    fn agents_have_the_shape_of_agents() {
        let check_agent = |state: &str, pointer: &str| {
            let member = format!(r#""agentStates": {{"a/b": {state}}}"#);
            check_member(&member, &format!("/agentStates/a~1b{pointer}"));
        };
        check_agent("[]", "");
        check_agent(r#"{"config": 1}"#, "/config");
        check_agent(r#"{"context": []}"#, "/context");
        check_agent(r#"{"context": {"_metadata": {"f": true}}}"#, "/context/_metadata/f");
        check_agent(
            r#"{"context": {"_metadata": {"f": {"trimmable": 1}}}}"#,
            "/context/_metadata/f/trimmable",
        );
        check_agent(r#"{"messageHistory": [{}]}"#, "/messageHistory/0");
    }

    #[test]
    fn turns_have_the_shape_of_turns() {
        let check_turn = |turn: &str, pointer: &str| {
            let member = format!(r#""conversationHistory": [{{"sequence": 1}}, {turn}]"#);
            check_member(&member, &format!("/conversationHistory/1{pointer}"));
        };
        check_turn("[2]", "");
        check_turn("{}", "");
        check_turn(r#"{"sequence": 1.5}"#, "/sequence");
        check_turn(r#"{"sequence": 1, "timestamp": 5}"#, "/timestamp");
        check_turn(r#"{"sequence": 1, "userMessage": {}}"#, "/userMessage");
        check_turn(r#"{"sequence": 1, "agentResponses": {}}"#, "/agentResponses");
        check_turn(r#"{"sequence": 1, "agentResponses": [{"agentId": "a"}]}"#, "/agentResponses/0");
        check_turn(
            r#"{"sequence": 1, "agentResponses": [{"agentId": "a", "response": 1}]}"#,
            "/agentResponses/0/response",
        );
    }

    #[test]
    fn a_whole_session_is_taken() {
        let text = r#"{
            "id": "a", "state": "invalidated_pending_cleanup", "version": 1,
            "createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z",
            "expiresAt": null, "agentIds": ["x"], "sharedContext": {"any": [1, {"thing": null}]},
            "agentStates": {"x": {
                "config": {"a": 1}, "messageHistory": [], "note": "kept",
                "context": {"f": [1], "_metadata": {"f": {"trimmable": true, "why": "big"}}}
            }},
            "conversationHistory": [{
                "sequence": -1, "timestamp": "2024-01-01T00:00:00Z", "userMessage": "h\u0069",
                "agentResponses": [{"agentId": "x", "response": "yes", "mood": 3}], "extra": []
            }],
            "metadata": {"userId": "u", "tags": ["t"], "title": null, "open": {}}
        }"#;
        assert!(Session::parse(text, "a").is_ok());
    }

    #[test]
    fn the_names_are_those_of_the_members() {
        let null = |name: &&str| format!(r#""{name}": null"#);
        let text = format!("{{{}}}", NAMES.iter().map(null).collect::<Vec<_>>().join(","));
        check(&text, 422, "/id");
    }
}
