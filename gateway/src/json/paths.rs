//! Where declared fields are found in a body.
//!
//! The pointers of a collection become one tree, so that the scanner looks for all of them by
//! following each member at most once.

/// The JSON Pointers (RFC 6901) of a collection's fields, compiled once when a plugin is loaded.
#[derive(Debug, Default)]
pub struct PathSet {
    root: Node,
    field_count: usize,
}

/// One place in a body.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The pointers that end here.
    choices: Vec<Choice>,
    /// The pointers that go on, in the order of their tokens.
    children: Vec<Child>,
}

/// One pointer of a field.
#[derive(Debug)]
struct Choice {
    field: usize,
    /// Its place among the alternatives of the field. The lowest wins.
    rank: usize,
}

#[derive(Debug)]
struct Child {
    token: String,
    /// The token as the index of an array.
    index: Option<usize>,
    node: Node,
}

impl PathSet {
    /// For each field its alternatives, the preferred one first. The manifest's schema has
    /// checked that they are JSON Pointers.
    pub fn new<'p>(fields: impl Iterator<Item = &'p [String]>) -> Self {
        let mut paths = Self::default();
        for (field, pointers) in fields.enumerate() {
            for (rank, pointer) in pointers.iter().enumerate() {
                paths.root.insert(pointer).choices.push(Choice { field, rank });
            }
            paths.field_count = field + 1;
        }
        paths
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }
}

impl Node {
    fn insert(&mut self, pointer: &str) -> &mut Self {
        let tokens = pointer.split('/').skip(1);
        tokens.fold(self, |node, token| node.child(token.replace("~1", "/").replace("~0", "~")))
    }

    fn child(&mut self, token: String) -> &mut Self {
        let place = self.children.binary_search_by(|child| child.token.cmp(&token));
        let place = place.unwrap_or_else(|gap| {
            // An index has one form only: `01` and `+1` name members of objects.
            let index = token.parse().ok().filter(|index: &usize| index.to_string() == token);
            self.children.insert(gap, Child { token, index, node: Self::default() });
            gap
        });
        &mut self.children[place].node
    }

    /// Where pointers go on in an object.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let place = self.children.binary_search_by(|child| child.token.as_str().cmp(name)).ok()?;
        Some(&self.children[place].node)
    }

    /// Where pointers go on in an array.
    pub(super) fn element(&self, index: usize) -> Option<&Self> {
        let child = self.children.iter().find(|child| child.index == Some(index))?;
        Some(&child.node)
    }
}

/// The texts of declared fields in one body.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    /// For each field the rank of the best pointer so far, and the value there.
    found: Vec<Option<(usize, &'a str)>>,
}

impl<'a> Members<'a> {
    pub(super) fn new(paths: &PathSet) -> Self {
        Self { found: vec![None; paths.field_count] }
    }

    /// The text of the value at the first of the field's pointers where there is one. JSON's null
    /// is no value: the next alternative counts, and with none of them there is no text.
    #[must_use]
    pub fn get(&self, field: usize) -> Option<&'a str> {
        self.found.get(field)?.map(|(_, text)| text)
    }

    /// A value ends that is not null.
    pub(super) fn offer(&mut self, node: &Node, text: &'a str) {
        for choice in &node.choices {
            let found = &mut self.found[choice.field];
            if found.is_none_or(|(rank, _)| choice.rank < rank) {
                *found = Some((choice.rank, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_document;
    use super::*;

    /// What one body gives for each field.
    fn found(fields: &[&[&str]], body: &str) -> Vec<Option<String>> {
        let owned: Vec<Vec<String>> = fields
            .iter()
            .map(|pointers| pointers.iter().map(|pointer| (*pointer).to_owned()).collect())
            .collect();
        let paths = PathSet::new(owned.iter().map(Vec::as_slice));
        let members = check_document(body, &paths, 10_000).expect("the body is accepted");
        (0..fields.len()).map(|field| members.get(field).map(str::to_owned)).collect()
    }

    #[test]
    fn each_field_gets_the_text_at_its_path() {
        let table = [
            ("/a", r#"{"a":"x"}"#, Some("\"x\"")),
            ("/a", r#"{"b":1, "a" : -1.50 , "c":2}"#, Some("-1.50")),
            ("/a", r#"{"a": [1, {"a":2}] }"#, Some(r#"[1, {"a":2}]"#)),
            ("/a", r#"{"a":{ "b" : {} }}"#, Some(r#"{ "b" : {} }"#)),
            ("/a", r#"{"a":false}"#, Some("false")),
            ("/a", r#"{"a":null}"#, None),
            ("/a", r#"{"b":{"a":1},"aa":2,"A":3,"":4}"#, None),
            ("/a/b/c", r#"{"a":{"x":{"c":0},"b":{"c":1}}}"#, Some("1")),
            ("/a/b", r#"{"a":1}"#, None),
            ("/a/b", r#"{"a":"b"}"#, None),
            ("/a/b", r#"{"a":["b"]}"#, None),
            ("/a/b", r#"{"a":null}"#, None),
            ("/a/0", r#"{"a":[1,2]}"#, Some("1")),
            ("/a/10", r#"{"a":[0,1,2,3,4,5,6,7,8,9,"ten"]}"#, Some("\"ten\"")),
            ("/a/1/b", r#"{"a":[{"b":1},{"b":2},{"b":3}]}"#, Some("2")),
            ("/a/0", r#"{"a":[]}"#, None),
            ("/a/0", r#"{"a":{"0":1}}"#, Some("1")),
            ("/a/-", r#"{"a":[1]}"#, None),
            ("/a/01", r#"{"a":[0,1]}"#, None),
            ("/a/+1", r#"{"a":[0,1]}"#, None),
            ("/a/01", r#"{"a":{"01":1}}"#, Some("1")),
            ("/a/0/0", r#"{"a":[[1]]}"#, Some("1")),
            ("/a~1b", r#"{"a/b":1,"a":{"b":2}}"#, Some("1")),
            ("/m~0n", r#"{"m~n":1}"#, Some("1")),
            ("/~01", r#"{"~1":1,"/":2}"#, Some("1")),
            ("/", r#"{"":1}"#, Some("1")),
            ("/a/", r#"{"a":{"":1}}"#, Some("1")),
            ("/state", r#"{"st\u0061te":"on"}"#, Some("\"on\"")),
            ("/é/\"", r#"{"\u00e9":{"\"":1}}"#, Some("1")),
        ];
        for (path, body, expected) in table {
            assert_eq!(found(&[&[path]], body), [expected.map(str::to_owned)], "{path} {body}");
        }
    }

    #[test]
    fn the_first_alternative_with_a_value_counts() {
        let alternatives: &[&str] = &["/new", "/old/name", "/older"];
        let table = [
            (r#"{"older":1,"old":{"name":2},"new":3}"#, Some("3")),
            (r#"{"new":3,"old":{"name":2},"older":1}"#, Some("3")),
            (r#"{"older":1,"old":{"name":2}}"#, Some("2")),
            (r#"{"new":null,"older":1}"#, Some("1")),
            (r#"{"new":null,"old":{"name":null}}"#, None),
            ("{}", None),
        ];
        for (body, expected) in table {
            assert_eq!(found(&[alternatives], body), [expected.map(str::to_owned)], "{body}");
        }
    }

    #[test]
    fn paths_may_overlap() {
        let fields: &[&[&str]] = &[&["/a"], &["/a/b"], &["/a/b/0", "/a"], &["/a"], &["/x"]];
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found(fields, r#"{"a":{"b":[7]}}"#),
            [text(r#"{"b":[7]}"#), text("[7]"), text("7"), text(r#"{"b":[7]}"#), None]
        );
        assert_eq!(found(fields, r#"{"a":5}"#), [text("5"), None, text("5"), text("5"), None]);
    }

    #[test]
    fn a_field_that_is_not_declared_has_no_text() {
        let members = check_document("{}", &PathSet::default(), 10).expect("the body is accepted");
        assert_eq!(members.get(0), None);
    }
}
