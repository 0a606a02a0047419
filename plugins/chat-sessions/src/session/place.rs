//! From a place in a JSON text to the JSON Pointer of the value there.
//!
//! `serde_json` tells lines and columns only. The text is well-formed, so each container on the
//! way to the place can be read as a list of texts.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// How many bytes of the text were read when this fault was found. That is the end of the value
/// at fault, or its beginning where it is of another type than was expected.
pub(super) fn offset(text: &str, fault: &serde_json::Error) -> usize {
    let lines_before = text.split_inclusive('\n').take(fault.line().saturating_sub(1));
    lines_before.map(str::len).sum::<usize>() + fault.column()
}

/// The JSON Pointer (RFC 6901) of the innermost value that begins, ends or goes on behind the
/// first `offset` bytes. Between two values there is a comma, so there is only one.
pub(super) fn pointer(text: &str, offset: usize) -> String {
    let mut pointer = String::new();
    let mut container = text;
    while let Some((token, child)) = child_at(container, offset - start_in(text, container)) {
        pointer.push('/');
        pointer += &token.replace('~', "~0").replace('/', "~1");
        container = child;
    }
    pointer
}

/// The members of an object, by name. What is no object has none.
pub(super) fn members(text: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The child of a container at this place in it, with its name or index.
fn child_at(container: &str, offset: usize) -> Option<(String, &str)> {
    let items: Vec<&RawValue> = serde_json::from_str(container).unwrap_or_default();
    let items = items.into_iter().enumerate().map(|(index, item)| (index.to_string(), item));
    let mut children = members(container).into_iter().chain(items);
    let (token, child) = children.find(|(_, child)| {
        let start = start_in(container, child.get());
        (start..=start + child.get().len()).contains(&offset)
    })?;
    Some((token, child.get()))
}

/// Where a part of a text begins in it.
fn start_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_innermost_value() {
        let text = "{\"a\": [1, {\"b/~\": \"x\"}],\n \"\": 2}";
        let at = |part: &str| pointer(text, text.find(part).expect("it is there"));
        assert_eq!(at("{"), "");
        assert_eq!(at("a\""), "");
        assert_eq!(at("[1"), "/a");
        assert_eq!(at("1"), "/a/0");
        assert_eq!(at(", {"), "/a/0");
        assert_eq!(at(" {"), "/a");
        assert_eq!(at("{\"b"), "/a/1");
        assert_eq!(at("x"), "/a/1/b~1~0");
        assert_eq!(at("}]"), "/a/1/b~1~0");
        assert_eq!(at("],"), "/a/1");
        assert_eq!(at("2"), "/");
        assert_eq!(pointer(text, text.len()), "");
        assert_eq!(pointer("\"text\"", 3), "");
    }

    #[test]
    fn a_fault_is_found_on_its_line() {
        let text = "{\n\"é\": [1,\n\"x\"]}";
        let fault = serde_json::from_str::<BTreeMap<String, Vec<u8>>>(text).expect_err("x");
        assert_eq!(pointer(text, offset(text, &fault)), "/é/1");
    }
}
