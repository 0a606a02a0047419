//! Parameters of the path and the query: decoded, and checked against the manifest before the
//! plugin is called.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::problem::Problem;
use crate::manifest::{OperationDeclaration, compile_schema};

/// The parameters of one operation.
pub(super) struct Parameters {
    path: Vec<Parameter>,
    query: Vec<Parameter>,
}

struct Parameter {
    name: String,
    kind: Kind,
    /// `None` where the manifest says nothing about a path's parameter: any text.
    schema: Option<jsonschema::Validator>,
    /// What is taken when none is given: several for a list.
    defaults: Vec<String>,
    required: bool,
}

/// How the text of a parameter becomes a JSON value.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// May be repeated; each is text.
    List,
    /// Any bytes. The plugin gets them, and the schema checks them, in base64url without padding.
    Bytes,
}

impl Parameters {
    /// Compile the schemas of an operation's parameters.
    pub(super) fn new(operation: &OperationDeclaration) -> Result<Self, String> {
        let in_path = operation.path_params();
        let path = in_path
            .iter()
            .map(|name| Parameter::new(name, operation.params.get(*name), true))
            .collect::<Result<_, _>>()?;
        let query = operation
            .params
            .iter()
            .filter(|(name, _)| !in_path.contains(&name.as_str()))
            .map(|(name, schema)| {
                Parameter::new(name, Some(schema), operation.required.contains(name))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { path, query })
    }

    /// Decode and check the values that the route has matched.
    pub(super) fn path(&self, encoded: &[String]) -> Result<Vec<String>, Problem> {
        let values = encoded.iter().zip(&self.path);
        values
            .map(|(text, parameter)| {
                let value = parameter.decode(&parameter.name, text)?;
                parameter.check(&parameter.name, std::slice::from_ref(&value))?;
                Ok(value)
            })
            .collect()
    }

    /// Decode and check a query string; defaults are filled in.
    pub(super) fn query(&self, query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
        let given = split(query.unwrap_or_default())?;
        if let Some((unknown, _)) = given.iter().find(|(name, _)| !self.knows(name)) {
            return Err(self.unknown(unknown));
        }
        let mut checked = Vec::with_capacity(given.len());
        for parameter in &self.query {
            for name in self.names_of(parameter, &given) {
                let texts = given.iter().filter(|(given, _)| given == name);
                let mut values = texts
                    .map(|(_, text)| parameter.decode(name, &text.replace('+', " ")))
                    .collect::<Result<Vec<String>, _>>()?;
                parameter.check(name, &values)?;
                if values.is_empty() {
                    values.clone_from(&parameter.defaults);
                }
                checked.extend(values.into_iter().map(|value| (name.to_owned(), value)));
            }
        }
        Ok(checked)
    }

    /// The names that a parameter goes by in this query: its own, or those of a family.
    fn names_of<'a>(&self, parameter: &'a Parameter, given: &'a [(String, &str)]) -> Vec<&'a str> {
        if parameter.family().is_none() {
            return vec![&parameter.name];
        }
        let mut names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| self.find(name).is_some_and(|found| std::ptr::eq(found, parameter)));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn knows(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The parameter that a name of the query stands for; one of that very name goes first.
    fn find(&self, name: &str) -> Option<&Parameter> {
        let of_family = |parameter: &&Parameter| {
            let family = parameter.family();
            family.and_then(|family| name.strip_prefix(family)).is_some_and(|end| !end.is_empty())
        };
        let exact = self.query.iter().find(|parameter| parameter.name == name);
        exact.filter(|found| found.family().is_none()).or_else(|| self.query.iter().find(of_family))
    }

    fn unknown(&self, name: &str) -> Problem {
        let known: Vec<&str> = self.query.iter().map(|parameter| parameter.name.as_str()).collect();
        let possible = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let detail = format!("the query parameter {name} is not known here; known: {possible}");
        Problem::bad_request("unknown-parameter", detail).with("parameter", name)
    }
}

impl Parameter {
    fn new(name: &str, schema: Option<&Value>, required: bool) -> Result<Self, String> {
        let compiled = schema
            .map(compile_schema)
            .transpose()
            .map_err(|error| format!("the schema of the parameter {name}: {error}"))?;
        let keyword = |keyword: &str| schema.and_then(|schema| schema.get(keyword));
        let kind = match keyword("type").and_then(Value::as_str) {
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some("array") => Kind::List,
            _ if keyword("contentEncoding").is_some() => Kind::Bytes,
            _ => Kind::Text,
        };
        let defaults = match keyword("default") {
            None => Vec::new(),
            Some(Value::Array(elements)) => elements.iter().map(text_of).collect(),
            Some(one) => vec![text_of(one)],
        };
        Ok(Self { name: name.to_owned(), kind, schema: compiled, defaults, required })
    }

    /// How the names of a family begin: of `attr.*` it is `attr.`, and each is a parameter.
    fn family(&self) -> Option<&str> {
        self.name.strip_suffix('*')
    }

    /// What stands for it in a path or a query, as the plugin gets it.
    fn decode(&self, name: &str, text: &str) -> Result<String, Problem> {
        match self.kind {
            Kind::Bytes => Ok(URL_SAFE_NO_PAD.encode(percent_decode(text, name)?)),
            _ => decode_text(text, name),
        }
    }

    /// Check the values that were given under a name; none for a parameter that was not.
    fn check(&self, name: &str, values: &[String]) -> Result<(), Problem> {
        match values {
            [] if self.required => Err(wrong(name, "it is required")),
            [] => Ok(()),
            [_, _, ..] if self.kind != Kind::List => Err(wrong(name, "it is given more than once")),
            [first, ..] => {
                let value = match self.kind {
                    Kind::List => Some(Value::from(values.to_vec())),
                    kind => kind.value(first),
                };
                let value = value.ok_or_else(|| wrong(name, self.kind.wanted()))?;
                match self.schema.as_ref().map(|schema| schema.validate(&value)) {
                    Some(Err(fault)) => Err(wrong(name, &fault.to_string())),
                    _ => Ok(()),
                }
            }
        }
    }
}

fn wrong(name: &str, why: &str) -> Problem {
    let detail = format!("the parameter {name}: {why}");
    Problem::bad_request("invalid-parameter", detail).with("parameter", name)
}

impl Kind {
    fn value(self, text: &str) -> Option<Value> {
        match self {
            Self::Text | Self::List | Self::Bytes => Some(Value::from(text)),
            Self::Integer => text.parse::<i64>().ok().map(Value::from),
            Self::Number => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
            Self::Boolean => text.parse::<bool>().ok().map(Value::from),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Integer => "it must be a whole number",
            Self::Number => "it must be a number",
            Self::Boolean => "it must be true or false",
            Self::Text | Self::List | Self::Bytes => "it must be text",
        }
    }
}

/// A default as it would stand in a query.
fn text_of(default: &Value) -> String {
    match default {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The names and values of a query; the values are still encoded.
fn split(query: &str) -> Result<Vec<(String, &str)>, Problem> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_text(&name.replace('+', " "), "of the query")?, value))
        })
        .collect()
}

fn decode_text(text: &str, name: &str) -> Result<String, Problem> {
    let decoded = String::from_utf8(percent_decode(text, name)?)
        .map_err(|_| invalid_encoding(name, "is not UTF-8 when percent-decoded"))?;
    if decoded.contains('\0') {
        let detail = format!("the parameter {name} holds the character NUL");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "nul-character", detail));
    }
    Ok(decoded)
}

fn percent_decode(text: &str, name: &str) -> Result<Vec<u8>, Problem> {
    let whole = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if text.split('%').skip(1).all(whole) {
        return Ok(percent_decode_str(text).collect());
    }
    Err(invalid_encoding(name, "has a % without two hexadecimal digits behind it; write %25"))
}

fn invalid_encoding(name: &str, why: &str) -> Problem {
    let detail = format!("the parameter {name} {why}");
    Problem::bad_request("invalid-encoding", detail).with("parameter", name)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn parameters(params: &str, required: &[&str]) -> Parameters {
        let operation = serde_json::json!({
            "name": "o", "method": "GET", "path": "/things/{id}", "summary": "s",
            "params": serde_json::from_str::<Map<String, Value>>(params).expect("an object"),
            "required": required,
        });
        let operation = serde_json::from_value(operation).expect("an operation");
        Parameters::new(&operation).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn defaults_are_filled_in_and_repeated_values_kept() {
        let known = r#"{"limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
                        "tag": {"type": "array", "items": {"type": "string"}}}"#;
        let parameters = parameters(known, &[]);
        let query = parameters.query(Some("tag=a%20b&tag=c+d")).expect("valid");
        let expected = [("limit", "50"), ("tag", "a b"), ("tag", "c d")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query, expected);
    }

    #[test]
    fn what_the_manifest_does_not_allow_is_refused() {
        let known = r#"{"limit": {"type": "integer", "minimum": 1, "maximum": 1000}}"#;
        let parameters = parameters(known, &[]);
        for query in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=",
            "limit=1&limit=2",
            "limt=1",
            "limit=%ff",
            "limit=%00",
            "limit=1%",
            "limit=%3",
            "limit=%3g",
            "limi%t=1",
        ] {
            assert!(parameters.query(Some(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn a_required_parameter_must_be_given() {
        let parameters = parameters(r#"{"q": {"type": "string"}}"#, &["q"]);
        assert!(parameters.query(None).is_err());
        assert!(parameters.query(Some("q=")).is_ok());
    }

    #[test]
    fn a_list_has_several_defaults() {
        let known =
            r#"{"tag": {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]}}"#;
        let parameters = parameters(known, &[]);
        let values = |query: &str| {
            let query = parameters.query(Some(query)).expect("valid");
            query.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(values(""), ["a", "b"]);
        assert_eq!(values("tag=c"), ["c"]);
    }

    #[test]
    fn a_family_is_every_name_that_begins_so() {
        let known =
            r#"{"attr.*": {"type": "string", "maxLength": 3}, "attr.size": {"type": "integer"}}"#;
        let parameters = parameters(known, &[]);
        let query = |query: &str| parameters.query(Some(query)).ok();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![pair("attr.a b", "5"), pair("attr.c", "x"), pair("attr.size", "7")];
        assert_eq!(query("attr.c=x&attr.size=7&attr.a%20b=5"), Some(expected));
        assert_eq!(query(""), Some(Vec::new()));
        for wrong in
            ["attr.=1", "attr=1", "attrs.a=1", "attr.a=1&attr.a=2", "attr.a=long", "attr.size=x"]
        {
            assert_eq!(query(wrong), None, "{wrong}");
        }
        // The pattern itself is a name like any other.
        assert_eq!(query("attr.*=1"), Some(vec![pair("attr.*", "1")]));
    }

    #[test]
    fn bytes_reach_the_plugin_in_base64url() {
        let bytes = r#"{"type": "string", "contentEncoding": "base64url", "maxLength": 8}"#;
        let known = format!(r#"{{"id": {bytes}, "prefix": {bytes}}}"#);
        let parameters = parameters(&known, &[]);
        let table = [
            ("", ""),
            ("%00", "AA"),
            ("%ff%FE", "__4"),
            ("a%2Fb", "YS9i"),
            ("%C3%A9", "w6k"),
            ("a%20b", "YSBi"),
            ("%25", "JQ"),
            ("%2B", "Kw"),
        ];
        for (text, encoded) in table {
            let query = parameters.query(Some(&format!("prefix={text}"))).ok();
            let expected = vec![("prefix".to_owned(), encoded.to_owned())];
            assert_eq!(query, Some(expected), "{text}");
            let path = parameters.path(&[text.to_owned()]).ok();
            assert_eq!(path, Some(vec![encoded.to_owned()]), "{text}");
        }
        // A space, as forms write it.
        let query = parameters.query(Some("prefix=+")).expect("valid");
        assert_eq!(query[0].1, "IA");
        for wrong in ["%", "%0", "%zz", "a%2", "abcdefg"] {
            assert!(parameters.path(&[wrong.to_owned()]).is_err(), "{wrong}");
            assert!(parameters.query(Some(&format!("prefix={wrong}"))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_is_decoded_after_it_was_matched() {
        let parameters = parameters("{}", &[]);
        let path = |text: &str| parameters.path(&[text.to_owned()]);
        assert_eq!(path("a%2Fb%3Ac").ok(), Some(vec!["a/b:c".to_owned()]));
        assert!(path("%ff").is_err() && path("%00").is_err());
    }
}
