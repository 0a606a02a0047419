//! The layers of `ARCHITECTURE.md`: `cli → http → plugin → storage`, nothing upward; and the
//! libraries that only one of them names.

use std::path::{Path, PathBuf};

/// A layer, and what stands in none of its lines of code.
const FORBIDDEN: [(&str, &[&str]); 10] = [
    ("storage", &["crate::plugin", "crate::http", "crate::cli", "wasmtime", "hyper", "wit_"]),
    (
        "plugin",
        &["crate::http", "crate::cli", "hyper", "rusqlite", "tokio_postgres", "bb8", "sqlparser"],
    ),
    ("http", &["crate::cli", "wasmtime", "rusqlite", "tokio_postgres", "bb8", "sqlparser"]),
    ("config", &["crate::"]),
    ("fair", &["crate::"]),
    ("json", &["crate::storage", "crate::plugin", "crate::http", "crate::cli"]),
    ("manifest", &["crate::"]),
    ("metrics", &["crate::"]),
    ("telemetry", &["crate::"]),
    ("tenant", &["crate::"]),
];

#[test]
fn no_layer_names_what_stands_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = Vec::new();
    for (layer, forbidden) in FORBIDDEN {
        let files = files_of(&source, layer);
        assert!(!files.is_empty(), "{layer} has no files");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for (number, line) in code.enumerate() {
                for word in forbidden.iter().filter(|word| line.contains(**word)) {
                    named.push(format!("{}: {word} near line {number}: {line}", file.display()));
                }
            }
        }
    }
    assert_eq!(named, [""; 0]);
}

/// `layer.rs` and everything below `layer/`.
fn files_of(source: &Path, layer: &str) -> Vec<PathBuf> {
    let mut files = vec![source.join(format!("{layer}.rs"))];
    let mut folders = vec![source.join(layer)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}
