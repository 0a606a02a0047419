//! What was probably meant.

/// As alike as a word with a letter missing, doubled or exchanged.
const ALIKE: f64 = 0.8;

/// The name that was probably meant, or all that there are.
pub fn hint<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let alike = names.iter().map(|name| (strsim::jaro_winkler(wrong, name), *name));
    match alike.filter(|(alike, _)| *alike > ALIKE).max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((_, name)) => format!("did you mean {name}?"),
        None if names.is_empty() => "there are none".to_owned(),
        None => format!("possible are {}", names.join(", ")),
    }
}
