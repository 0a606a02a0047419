//! `gateway.toml` as a tree whose nodes know where they stand, with the values of environment
//! variables in their places.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Error, ValueDeserializer};

use super::fault::{Fault, KeyPath, Source, Step};

/// The tree. Its root is a table.
pub(super) struct Document<'a>(DeValue<'a>);

impl<'a> Document<'a> {
    /// Read a text, as far as it is TOML, and tell where it is not.
    pub(super) fn parse(source: &'a Source) -> (Self, Vec<Fault>) {
        let (root, errors) = DeTable::parse_recoverable(&source.text);
        let faults = errors.iter().map(|error| syntax(source, error)).collect();
        (Self(DeValue::Table(root.into_inner())), faults)
    }

    /// Put the values of variables into their places, and tell those that have none.
    pub(super) fn set_variables(&mut self, source: &'a Source) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (number, variable) in source.variables.iter().enumerate() {
            let words = variable.words();
            let key = words.iter().fold(KeyPath::default(), |key, word| key.key(word));
            let spans = (0..words.len()).map(|word| source.span_of_variable(number, word));
            let words: Vec<_> = words.into_iter().zip(spans).collect();
            if set(&mut self.0, &words, value(&variable.value)).is_none() {
                let what = "it names a key of something that is no table".to_owned();
                faults.push(source.fault_at(&source.span_of_variable(number, 0), key, what));
            }
        }
        faults
    }

    /// The tree as a value of Rust.
    pub(super) fn read<T: Deserialize<'a>>(&self) -> Result<T, Error> {
        T::deserialize(ValueDeserializer::from(Spanned::new(0..0, self.0.clone())))
    }

    /// What stands at a place of the text.
    pub(super) fn key_at(&self, span: &Range<usize>) -> Option<KeyPath> {
        let mut steps = Vec::new();
        find(&self.0, span, &mut steps).then_some(KeyPath(steps))
    }

    /// Where a key stands; where it is missing, the table that lacks it.
    pub(super) fn span_of(&self, key: &KeyPath) -> Option<Range<usize>> {
        let (mut span, mut value) = (None, &self.0);
        for step in &key.0 {
            let below = match (step, value) {
                (Step::Key(key), DeValue::Table(table)) => {
                    table.get_key_value(key.as_str()).map(|(key, value)| (key.span(), value))
                }
                (Step::Index(index), DeValue::Array(array)) => {
                    array.get(*index).map(|value| (value.span(), value))
                }
                _ => None,
            };
            let Some(below) = below else {
                break;
            };
            (span, value) = (Some(below.0), below.1.get_ref());
        }
        span
    }

    /// All integers that are 0.
    pub(super) fn zeros(&self) -> Vec<KeyPath> {
        let mut zeros = Vec::new();
        collect_zeros(&self.0, KeyPath::default(), &mut zeros);
        zeros
    }

    /// Take a value out, so that the rest can be read.
    pub(super) fn remove(&mut self, key: &KeyPath) {
        let Some((last, above)) = key.0.split_last() else {
            return;
        };
        match (above.iter().try_fold(&mut self.0, below), last) {
            (Some(DeValue::Table(table)), Step::Key(key)) => drop(table.remove(key.as_str())),
            (Some(DeValue::Array(array)), Step::Index(index)) => {
                let others = array.iter().enumerate().filter(|(place, _)| place != index);
                *array = others.map(|(_, value)| value.clone()).collect::<DeArray<'_>>();
            }
            _ => {}
        }
    }
}

fn below<'v, 'a>(value: &'v mut DeValue<'a>, step: &Step) -> Option<&'v mut DeValue<'a>> {
    match (value, step) {
        (DeValue::Table(table), Step::Key(key)) => table.get_mut(key.as_str()),
        (DeValue::Array(array), Step::Index(index)) => array.get_mut(*index),
        _ => None,
    }
    .map(Spanned::get_mut)
}

fn collect_zeros(value: &DeValue<'_>, key: KeyPath, zeros: &mut Vec<KeyPath>) {
    match value {
        DeValue::Integer(number) if number.as_str().bytes().all(|digit| digit == b'0') => {
            zeros.push(key);
        }
        DeValue::Table(table) => {
            for (name, value) in table {
                collect_zeros(value.get_ref(), key.clone().key(name.get_ref()), zeros);
            }
        }
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                collect_zeros(value.get_ref(), key.clone().index(index), zeros);
            }
        }
        _ => {}
    }
}

/// What stands deepest counts: the tables above a variable's key begin where it does.
fn find(value: &DeValue<'_>, span: &Range<usize>, steps: &mut Vec<Step>) -> bool {
    match value {
        DeValue::Table(table) => table.iter().any(|(key, value)| {
            steps.push(Step::Key(key.get_ref().to_string()));
            let here = [key.span(), value.span()].contains(span);
            found(find(value.get_ref(), span, steps) || here, steps)
        }),
        DeValue::Array(array) => array.iter().enumerate().any(|(index, value)| {
            steps.push(Step::Index(index));
            let here = value.span() == *span;
            found(find(value.get_ref(), span, steps) || here, steps)
        }),
        _ => false,
    }
}

/// Leave the steps as they are where something was found.
fn found(found: bool, steps: &mut Vec<Step>) -> bool {
    if !found {
        steps.pop();
    }
    found
}

fn syntax(source: &Source, error: &Error) -> Fault {
    let span = error.span().unwrap_or_default();
    source.fault_at(&span, KeyPath::default(), format!("this is not TOML: {}", error.message()))
}

/// The value that a variable stands for: text, if it is not a number or a boolean.
fn value(text: &str) -> DeValue<'_> {
    let typed = text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok();
    match DeValue::parse(text) {
        Ok(value) if typed => value.into_inner(),
        _ => DeValue::String(text.into()),
    }
}

/// Put a value below these words. None where they lead through something that is no table.
fn set<'a>(
    root: &mut DeValue<'a>,
    words: &[(String, Range<usize>)],
    value: DeValue<'a>,
) -> Option<()> {
    let (last, above) = words.split_last()?;
    let key =
        |(word, span): &(String, Range<usize>)| Spanned::new(span.clone(), word.clone().into());
    let mut place = root;
    for word in above {
        let DeValue::Table(table) = place else {
            return None;
        };
        if !table.contains_key(word.0.as_str()) {
            let below = DeValue::Table(DeTable::new());
            table.insert(key(word), Spanned::new(word.1.clone(), below));
        }
        place = table.get_mut(word.0.as_str())?.get_mut();
    }
    let DeValue::Table(table) = place else {
        return None;
    };
    // Taken out first: `insert` would keep the key that is there, with its place in the file.
    table.remove(last.0.as_str());
    table.insert(key(last), Spanned::new(last.1.clone(), value));
    Some(())
}
