//! What the manifest says of answers. Production does not look at it: an answer that differs is the
//! author's mistake, and the author's tests find it here.

use std::collections::HashMap;

use jsonschema::Validator;

use crate::http::Answer;
use crate::manifest::{Manifest, ResponseDeclaration, compile_schema, is_json};

/// What operations declare to answer, by their names and the status.
#[derive(Debug)]
pub(super) struct DeclaredAnswers(HashMap<(String, u16), Declared>);

#[derive(Debug)]
struct Declared {
    content_type: Option<String>,
    schema: Option<Validator>,
}

impl DeclaredAnswers {
    /// Those of a manifest.
    ///
    /// # Errors
    /// A schema that is none.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        let mut all = HashMap::new();
        for operation in &manifest.operations {
            for (status, answer) in &operation.response {
                let declared = Declared::new(answer)
                    .map_err(|why| format!("{}, answer {status}: {why}", operation.name))?;
                let status = status.parse().map_err(|_| format!("{status} is not a status"))?;
                all.insert((operation.name.clone(), status), declared);
            }
        }
        Ok(Self(all))
    }

    /// Where an answer is not what its operation declares. Problems have the gateway's form.
    pub(super) fn differences(&self, answer: &Answer) -> Vec<String> {
        let Some(operation) = &answer.operation else { return Vec::new() };
        let is_content_type = |(name, _): &&(String, String)| name == "content-type";
        let came = answer.headers.iter().find(is_content_type).map_or("", |(_, value)| value);
        let Some(declared) = self.0.get(&(operation.clone(), answer.status)) else {
            return Vec::new();
        };
        if came == PROBLEM {
            return Vec::new();
        }
        let differences = declared.differences(came, &answer.body);
        let told = |why| format!("not what {operation} declares to answer: {why}");
        differences.into_iter().map(told).collect()
    }
}

const PROBLEM: &str = "application/problem+json";

impl Declared {
    fn new(answer: &ResponseDeclaration) -> Result<Self, String> {
        let schema = answer.schema.as_ref().map(compile_schema).transpose()?;
        Ok(Self { content_type: answer.content_type.clone(), schema })
    }

    fn differences(&self, content_type: &str, body: &[u8]) -> Vec<String> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match &self.content_type {
            Some(declared) if declared != media_type => {
                return vec![format!("its type is {content_type:?}, and not {declared}")];
            }
            _ => {}
        }
        let Some(schema) = &self.schema else { return Vec::new() };
        if !is_json(media_type) {
            return vec![format!("its type is {content_type:?}, which is not JSON")];
        }
        match serde_json::from_slice(body) {
            Ok(value) => schema.iter_errors(&value).map(told).collect(),
            Err(error) => vec![format!("it is not JSON: {error}")],
        }
    }
}

fn told(fault: jsonschema::ValidationError<'_>) -> String {
    format!("json{}: {fault}", fault.instance_path())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(declared: serde_json::Value, content_type: &str, body: &str) -> Vec<String> {
        let answer = serde_json::from_value(declared).expect("a declaration");
        Declared::new(&answer).expect("a schema").differences(content_type, body.as_bytes())
    }

    #[test]
    fn a_body_is_held_to_its_type_and_its_schema() {
        let schema =
            json!({"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}});
        let json = "application/json";
        assert_eq!(differences(schema.clone(), json, r#"{"n": 1}"#), [""; 0]);
        let found = differences(schema.clone(), json, r#"{"n": "x"}"#);
        assert!(found.len() == 1 && found[0].starts_with("json/n: "), "{found:?}");
        let found = differences(schema.clone(), json, "{");
        assert!(found[0].starts_with("it is not JSON"), "{found:?}");
        assert_eq!(
            differences(schema, "text/plain", "{}"),
            ["its type is \"text/plain\", which is not JSON"]
        );
        let csv = json!({"content_type": "text/csv"});
        assert_eq!(differences(csv.clone(), "text/csv; charset=utf-8", "a,b"), [""; 0]);
        assert_eq!(
            differences(csv, json, "1"),
            ["its type is \"application/json\", and not text/csv"]
        );
    }
}
