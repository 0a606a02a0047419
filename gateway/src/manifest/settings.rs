//! What an operator has set for a tenant, checked against what the plugin declares.

use serde_json::{Map, Value};

use super::{Manifest, compile_schema};

/// What is wrong with a plugin's settings.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingsFault {
    /// The plugin has no such setting.
    #[error("there is no {name}; there are {}", .known.join(", "))]
    Unknown {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The plugin does not take this value.
    #[error("{pointer}: {why}")]
    Invalid {
        /// Its place, as a JSON Pointer.
        pointer: String,
        /// Why.
        why: String,
    },
}

impl Manifest {
    /// All settings of a tenant for which these are given.
    ///
    /// # Errors
    /// All of their faults.
    pub fn settings_for(&self, given: &Map<String, Value>) -> Result<Value, Vec<SettingsFault>> {
        let empty = Map::new();
        let declared = self.settings.get("properties").and_then(Value::as_object);
        let declared = declared.unwrap_or(&empty);
        let unknown = given.keys().filter(|name| !declared.contains_key(*name));
        let mut faults: Vec<SettingsFault> = unknown
            .map(|name| SettingsFault::Unknown {
                name: name.clone(),
                known: declared.keys().cloned().collect(),
            })
            .collect();
        let mut settings = Value::Object(given.clone());
        fill_in(&self.settings, &mut settings);
        faults.extend(self.invalid(&settings));
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    fn invalid(&self, settings: &Value) -> Vec<SettingsFault> {
        if self.settings.is_null() {
            return Vec::new();
        }
        let invalid = |pointer: String, why: String| SettingsFault::Invalid { pointer, why };
        match compile_schema(&self.settings) {
            Ok(schema) => {
                let faults = schema.iter_errors(settings);
                faults.map(|f| invalid(f.instance_path().to_string(), f.to_string())).collect()
            }
            Err(fault) => vec![invalid(String::new(), format!("the plugin's schema: {fault}"))],
        }
    }
}

/// Put the defaults of a schema's members, and of theirs, into an object that lacks them.
fn fill_in(schema: &Value, object: &mut Value) {
    let declared = schema.get("properties").and_then(Value::as_object);
    let (Some(declared), Some(members)) = (declared, object.as_object_mut()) else {
        return;
    };
    for (name, of) in declared {
        if let (false, Some(default)) = (members.contains_key(name), of.get("default")) {
            members.insert(name.clone(), default.clone());
        }
        if let Some(member) = members.get_mut(name) {
            fill_in(of, member);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings_for(given: &Value) -> Result<Value, Vec<SettingsFault>> {
        let manifest = json!({
            "name": "test", "version": "0.1.0", "summary": "s", "collections": [],
            "operations": [{"name": "o", "method": "GET", "path": "/o", "summary": "s"}],
            "settings": {"type": "object", "properties": {
                "max_notes": {"type": "integer", "minimum": 0, "default": 100},
                "title": {"type": "string", "default": "none"},
                "colours": {
                    "type": "object", "default": {},
                    "properties": {"ink": {"enum": ["black", "blue"], "default": "black"}},
                },
            }},
        });
        let manifest = Manifest::parse(&manifest.to_string()).expect("it is a manifest");
        manifest.settings_for(given.as_object().expect("it is an object"))
    }

    #[test]
    fn defaults_are_filled_in() {
        let defaults = json!({"max_notes": 100, "title": "none", "colours": {"ink": "black"}});
        assert_eq!(settings_for(&json!({})), Ok(defaults));
        let given = json!({"title": "t", "max_notes": 5, "colours": {"ink": "blue"}});
        assert_eq!(settings_for(&given), Ok(given));
    }

    #[test]
    fn every_fault_is_told() {
        let given = json!({"max_notes": -1, "titel": "t", "colours": {"ink": "red"}});
        let faults = settings_for(&given).expect_err("all of them are faults");
        let known = ["max_notes", "title", "colours"].map(str::to_owned).to_vec();
        assert_eq!(faults[0], SettingsFault::Unknown { name: "titel".to_owned(), known });
        let mut pointers: Vec<&str> = faults[1..]
            .iter()
            .map(|fault| match fault {
                SettingsFault::Invalid { pointer, .. } => pointer.as_str(),
                SettingsFault::Unknown { name, .. } => panic!("{name} is known"),
            })
            .collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/colours/ink", "/max_notes"]);
    }
}
