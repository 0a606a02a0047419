//! From the text of `gateway.toml` to a [`Config`], or to all of its faults.
//!
//! A value that cannot be read is noted and taken out of the tree, and the rest is read again,
//! until all of it can be: each fault is found once, and none hides another.

use super::document::Document;
use super::fault::{Fault, Source};
use super::suggest::hint;
use super::{Config, check};

pub(super) fn read(source: Source) -> Result<Config, Vec<Fault>> {
    let (mut document, mut faults) = Document::parse(&source);
    let is_toml = faults.is_empty();
    faults.extend(document.set_variables(&source));
    let config = read_rest(&source, &mut document, &mut faults);
    let zeros = check::zeros(&document);
    drop(document);
    // What a broken text seems to lack may be there.
    if let Some(config) = config.as_ref().filter(|_| is_toml) {
        let found = check::faults(config).into_iter().chain(zeros);
        // What is missing because it was taken out has been said.
        let new = found.filter(|(key, _)| !faults.iter().any(|fault| fault.key.holds(key)));
        let new: Vec<Fault> = new.map(|(key, what)| source.fault(key, what)).collect();
        faults.extend(new);
    }
    Fault::sort(&mut faults);
    match config {
        Some(config) if faults.is_empty() => Ok(Config { source, ..config }),
        _ => Err(faults),
    }
}

/// None where an error cannot be told to be of a key.
fn read_rest(
    source: &Source,
    document: &mut Document<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Config> {
    loop {
        let error = match document.read() {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        let key = document.key_at(&span);
        let what = reworded(error.message());
        let fault = source.fault_at(&span, key.clone().unwrap_or_default(), what);
        // Where the text is no TOML, something else was meant than what was made of it.
        if !faults.iter().any(|other| other.place == fault.place) {
            faults.push(fault);
        }
        document.remove(&key?);
    }
}

/// The deserializer's words, with what was probably meant.
fn reworded(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((key, names)) if message.starts_with("unknown field") => {
            format!("there is no such key; {}", hint(key, names.iter().copied()))
        }
        Some((word, names)) if message.starts_with("unknown variant") => {
            format!("{word:?} is not possible; {}", hint(word, names.iter().copied()))
        }
        _ => TYPES.iter().fold(message.to_owned(), |message, (name, words)| {
            message.replace(&format!("expected {name}"), &format!("expected {words}"))
        }),
    }
}

/// Types that the deserializer calls by their names in Rust.
const TYPES: [(&str, &str); 3] = [
    ("usize", "a whole number, 0 or more"),
    ("u64", "a whole number, 0 or more"),
    ("u32", "a whole number from 0 to 4294967295"),
];
