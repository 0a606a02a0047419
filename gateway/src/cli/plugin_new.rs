//! `loggia plugin new`: the folder of a plugin that builds, passes its tests and can be served.
//!
//! What it is made of stands in `gateway/template`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::ConfigurationFault;

/// What to make.
#[derive(Debug)]
pub(super) struct Options {
    /// Where; the last part is the plugin's name.
    pub(super) folder: PathBuf,
    /// The folder of the SDK.
    pub(super) sdk: PathBuf,
}

/// Files of the template, by their paths in the new folder.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    (".gitignore", include_str!("../../template/gitignore.in")),
    ("README.md", include_str!("../../template/README.md.in")),
    ("gateway.toml", include_str!("../../template/gateway.toml.in")),
    ("src/lib.rs", include_str!("../../template/src/lib.rs.in")),
    ("tests/notes.toml", include_str!("../../template/tests/notes.toml.in")),
];

/// The SDK in the clone that this program was built from: no registry has it yet.
pub(super) const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin-sdk");

/// Make the folder.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let folder = &options.folder;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(why) = name_fault(name) {
        return Err(ConfigurationFault(format!("{name:?} cannot be a plugin's name: {why}")).into());
    }
    let sdk = options.sdk.canonicalize().ok().filter(|sdk| sdk.join("Cargo.toml").is_file());
    let sdk = sdk.ok_or_else(|| {
        let sdk = options.sdk.display();
        ConfigurationFault(format!("{sdk} is not the SDK: name its folder with --sdk"))
    })?;
    ensure!(!folder.exists(), "{} exists already", folder.display());
    for (path, template) in FILES {
        let text = template.replace("{{name}}", name);
        let text = text.replace("{{sdk}}", &sdk.display().to_string());
        write(&folder.join(path), &text)?;
    }
    let shown = folder.display();
    println!("{shown}: a plugin that stores notes\n");
    println!("  loggia plugin test {shown}    runs its tests");
    println!("  loggia dev {shown}            serves it, and again after each change");
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, text))
        .with_context(|| path.display().to_string())
}

/// What the manifest's schema says of names; the package's name is the same.
fn name_fault(name: &str) -> Option<&'static str> {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let parts_are_words = name.split('-').all(|part| !part.is_empty() && part.bytes().all(lower));
    if !parts_are_words || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Some("it is made of lower-case words with hyphens between them, such as my-notes");
    }
    if name == "loggia" || name.starts_with("loggia-") {
        return Some("loggia and names that begin with loggia- are the gateway's own");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::name_fault;

    #[test]
    fn a_name_fits_the_manifest_and_the_package() {
        for good in ["notes", "my-notes", "notes2"] {
            assert_eq!(name_fault(good), None, "{good}");
        }
        for bad in ["", "Notes", "2notes", "my_notes", "my--notes", "notes-", "loggia-notes", "é"]
        {
            assert!(name_fault(bad).is_some(), "{bad}");
        }
    }
}
