//! Faults of the configuration: the place in the file, the key, and what to do.
//!
//! [`Source`] is where a configuration came from. It finds the place of a key, also for what comes
//! to light later, when plugins are loaded.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::document::Document;

/// What is wrong, and where.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) place: Place,
    pub(super) key: KeyPath,
    what: String,
}

/// Where a value stands, such as `tenants.acme.keys[0].sha256`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyPath(pub(super) Vec<Step>);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Place {
    Line {
        file: PathBuf,
        line: usize,
        column: usize,
    },
    File(PathBuf),
    Variable(String),
    /// Of a configuration that was made without a file.
    Nowhere,
}

/// The text of a file, and what the environment overrides in it.
#[derive(Clone, Default)]
pub(super) struct Source {
    file: PathBuf,
    pub(super) text: String,
    pub(super) variables: Vec<Variable>,
}

/// An environment variable that stands for a key.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

/// Variables have this before the key.
const PREFIX: &str = "LOGGIA_";
/// Between two words of a key; a single underscore belongs to a word.
const SEPARATOR: &str = "__";

impl Source {
    pub(super) fn new(
        file: &Path,
        text: String,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let variables = environment
            .filter(|(name, _)| name.starts_with(PREFIX) && name.contains(SEPARATOR))
            .map(|(name, value)| Variable { name, value });
        Self { file: file.to_owned(), text, variables: variables.collect() }
    }

    /// A fault of the value at a key, or of one that is missing there.
    pub(super) fn fault(&self, key: KeyPath, what: String) -> Fault {
        let (mut document, _) = Document::parse(self);
        document.set_variables(self);
        let place = match document.span_of(&key) {
            Some(span) => self.place(&span),
            None => self.place(&(0..0)),
        };
        Fault { place, key, what }
    }

    /// A fault at a place in the text.
    pub(super) fn fault_at(&self, span: &Range<usize>, key: KeyPath, what: String) -> Fault {
        Fault { place: self.place(span), key, what }
    }

    /// Variables stand behind the end of the text, one byte each: see [`Source::span_of_variable`].
    fn place(&self, span: &Range<usize>) -> Place {
        let behind = span.start.checked_sub(self.text.len() + 1);
        if let Some(variable) = behind.and_then(|number| self.variables.get(number)) {
            return Place::Variable(variable.name.clone());
        }
        if self.file.as_os_str().is_empty() {
            return Place::Nowhere;
        }
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        Place::Line { file: self.file.clone(), line, column }
    }

    /// Where a variable's key stands. Words of one key differ by the end.
    pub(super) fn span_of_variable(&self, number: usize, word: usize) -> Range<usize> {
        let start = self.text.len() + 1 + number;
        start..start + 1 + word
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.file).finish()
    }
}

impl Variable {
    /// The words of its key.
    pub(super) fn words(&self) -> Vec<String> {
        let key = self.name.trim_start_matches(PREFIX).to_lowercase();
        key.split(SEPARATOR).map(str::to_owned).collect()
    }
}

impl KeyPath {
    /// A key of the file's top.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self::default().key(key)
    }

    /// A key of the table here.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    /// An element of the array here.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// Its keys, without the places in arrays.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// Whether the other is this, or stands in it.
    pub(super) fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line { file, line, column } => {
                write!(f, "{}:{line}:{column}: ", file.display())?;
            }
            Place::File(file) => write!(f, "{}: ", file.display())?,
            Place::Variable(name) => write!(f, "{name}: ")?,
            Place::Nowhere => {}
        }
        if !self.key.0.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl Fault {
    /// There is no such file, or it is not text.
    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        let what = format!("it cannot be read: {error}");
        Self { place: Place::File(file.to_owned()), key: KeyPath::default(), what }
    }

    /// Put faults into the order of the file.
    pub fn sort(faults: &mut [Self]) {
        faults.sort_by(|one, other| one.place.cmp(&other.place));
    }
}
