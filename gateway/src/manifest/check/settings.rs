//! What the settings of a plugin must hold to: an operator who sets nothing has valid ones.

use super::super::{Manifest, compile_schema};
use super::Faults;

pub(super) fn check(manifest: &Manifest, faults: &mut Faults) {
    limits(manifest, faults);
    let Some(properties) = manifest.settings["properties"].as_object() else { return };
    for (name, _) in properties.iter().filter(|(_, schema)| schema.get("default").is_none()) {
        faults.add(format!("/settings/properties/{name}"), "it has no default");
    }
    match compile_schema(&manifest.settings) {
        Err(fault) => faults.add("/settings", fault),
        Ok(schema) => {
            for fault in schema.iter_errors(&manifest.default_settings()) {
                let place = fault.instance_path();
                faults
                    .add("/settings", format!("the defaults do not satisfy it: {place}: {fault}"));
            }
        }
    }
}

/// A count's limit is an integer among the settings.
fn limits(manifest: &Manifest, faults: &mut Faults) {
    for (number, count) in manifest.counts.iter().enumerate() {
        let Some(setting) = &count.limit else { continue };
        if manifest.settings["properties"][setting]["type"] != "integer" {
            let what = format!("the limit {setting} is not an integer of the settings");
            faults.add(format!("/counts/{number}/limit"), what);
        }
    }
}
