//! Parameters of the path and the query: decoded, and checked against the manifest before the
//! plugin is called.

use hyper::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::problem::Problem;
use crate::manifest::OperationDeclaration;

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
    default: Option<String>,
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
}

impl Parameters {
    /// Compile the schemas of an operation's parameters.
    pub(super) fn new(operation: &OperationDeclaration) -> Result<Self, String> {
        let in_path = path_names(&operation.path);
        let path = in_path
            .iter()
            .map(|name| Parameter::new(name, operation.params.get(name), true))
            .collect::<Result<_, _>>()?;
        let query = operation
            .params
            .iter()
            .filter(|(name, _)| !in_path.contains(name))
            .map(|(name, schema)| {
                Parameter::new(name, Some(schema), operation.required.contains(name))
            })
            .collect::<Result<_, _>>()?;
        let unknown = operation.required.iter().find(|name| !operation.params.contains_key(*name));
        match unknown {
            Some(name) => Err(format!("the required parameter {name} is not declared")),
            None => Ok(Self { path, query }),
        }
    }

    /// Decode and check the values that the route has matched.
    pub(super) fn path(&self, encoded: &[String]) -> Result<Vec<String>, Problem> {
        let values = encoded.iter().zip(&self.path);
        values
            .map(|(text, parameter)| {
                let value = decode(text, &parameter.name)?;
                parameter.check(&[&value])?;
                Ok(value)
            })
            .collect()
    }

    /// Decode and check a query string; defaults are filled in.
    pub(super) fn query(&self, query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
        let given = parse(query.unwrap_or_default())?;
        if let Some((unknown, _)) = given.iter().find(|(name, _)| !self.knows(name)) {
            return Err(self.unknown(unknown));
        }
        let mut checked = Vec::with_capacity(given.len());
        for parameter in &self.query {
            let values: Vec<&str> = given
                .iter()
                .filter(|(name, _)| *name == parameter.name)
                .map(|(_, value)| value.as_str())
                .collect();
            parameter.check(&values)?;
            let values = values.into_iter().map(str::to_owned);
            checked.extend(values.map(|value| (parameter.name.clone(), value)));
            if let (Some(default), false) = (&parameter.default, self.given(&given, parameter)) {
                checked.push((parameter.name.clone(), default.clone()));
            }
        }
        Ok(checked)
    }

    fn given(&self, given: &[(String, String)], parameter: &Parameter) -> bool {
        given.iter().any(|(name, _)| *name == parameter.name)
    }

    fn knows(&self, name: &str) -> bool {
        self.query.iter().any(|parameter| parameter.name == name)
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
            .map(jsonschema::validator_for)
            .transpose()
            .map_err(|error| format!("the schema of the parameter {name}: {error}"))?;
        let keyword = |keyword: &str| schema.and_then(|schema| schema.get(keyword));
        let kind = match keyword("type").and_then(Value::as_str) {
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some("array") => Kind::List,
            _ => Kind::Text,
        };
        let default = keyword("default").map(|default| match default {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        Ok(Self { name: name.to_owned(), kind, schema: compiled, default, required })
    }

    /// Check the values that were given; none for a parameter that was not.
    fn check(&self, values: &[&str]) -> Result<(), Problem> {
        match values {
            [] if self.required => Err(self.wrong("it is required")),
            [] => Ok(()),
            [_, _, ..] if self.kind != Kind::List => Err(self.wrong("it is given more than once")),
            [first, ..] => {
                let value = match self.kind {
                    Kind::List => Some(Value::from(values.to_vec())),
                    kind => kind.value(first),
                };
                let value = value.ok_or_else(|| self.wrong(self.kind.wanted()))?;
                match self.schema.as_ref().map(|schema| schema.validate(&value)) {
                    Some(Err(fault)) => Err(self.wrong(&fault.to_string())),
                    _ => Ok(()),
                }
            }
        }
    }

    fn wrong(&self, why: &str) -> Problem {
        let detail = format!("the parameter {}: {why}", self.name);
        Problem::bad_request("invalid-parameter", detail).with("parameter", self.name.as_str())
    }
}

impl Kind {
    fn value(self, text: &str) -> Option<Value> {
        match self {
            Self::Text | Self::List => Some(Value::from(text)),
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
            Self::Text | Self::List => "it must be text",
        }
    }
}

/// The names in a template such as `/sessions/{id}/versions/{v}`.
fn path_names(template: &str) -> Vec<String> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn parse(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(&name.replace('+', " "), "of the query")?;
            let value = decode(&value.replace('+', " "), &name)?;
            Ok((name, value))
        })
        .collect()
}

fn decode(text: &str, name: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| {
        let detail = format!("the parameter {name} is not UTF-8 when percent-decoded");
        Problem::bad_request("invalid-encoding", detail).with("parameter", name)
    })?;
    if decoded.contains('\0') {
        let detail = format!("the parameter {name} holds the character NUL");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "nul-character", detail));
    }
    Ok(decoded.into_owned())
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
    fn a_path_is_decoded_after_it_was_matched() {
        let parameters = parameters("{}", &[]);
        let path = |text: &str| parameters.path(&[text.to_owned()]);
        assert_eq!(path("a%2Fb%3Ac").ok(), Some(vec!["a/b:c".to_owned()]));
        assert!(path("%ff").is_err() && path("%00").is_err());
    }
}
