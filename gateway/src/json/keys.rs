//! The names of members that have been read, to find one that is given twice.

use std::borrow::Cow;
use std::collections::HashSet;

/// Up to here comparing one by one is faster than hashing.
const MAX_COMPARED: usize = 16;

/// The names in all objects that are open, those of the innermost last.
///
/// Each object is known by how many names there were when it began.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    names: Vec<Cow<'a, str>>,
    /// For each name what tells most others apart in one comparison.
    prints: Vec<u64>,
    /// The names of objects with many, by the beginning of the object. The standard hasher is
    /// keyed at random, so that no body can make names collide.
    sets: Vec<(usize, HashSet<Cow<'a, str>>)>,
}

impl<'a> Keys<'a> {
    /// An object begins here.
    pub(super) fn begin(&self) -> usize {
        self.names.len()
    }

    /// Add a decoded name to the innermost object; false when it has this name already.
    pub(super) fn insert(&mut self, begin: usize, name: Cow<'a, str>) -> bool {
        let print = print(name.as_bytes());
        let is_new = if self.names.len() - begin < MAX_COMPARED {
            let prints = self.prints[begin..].iter();
            let mut alike = prints.zip(&self.names[begin..]).filter(|(known, _)| **known == print);
            alike.all(|(_, known)| *known != name)
        } else {
            self.set(begin).insert(name.clone())
        };
        self.names.push(name);
        self.prints.push(print);
        is_new
    }

    /// The set of an object that has just come to have many names.
    fn set(&mut self, begin: usize) -> &mut HashSet<Cow<'a, str>> {
        // An object within it began later, and its set has been dropped.
        if self.sets.last().is_none_or(|(owner, _)| *owner != begin) {
            self.sets.push((begin, self.names[begin..].iter().cloned().collect()));
        }
        let last = self.sets.len() - 1;
        &mut self.sets[last].1
    }

    /// The innermost object ends.
    pub(super) fn end(&mut self, begin: usize) {
        self.names.truncate(begin);
        self.prints.truncate(begin);
        self.sets.pop_if(|(owner, _)| *owner == begin);
    }

    /// The newest name of those that were there when something began, or of all.
    pub(super) fn newest(&self, begin: Option<usize>) -> &str {
        let end = begin.unwrap_or(self.names.len());
        end.checked_sub(1).map_or("", |last| &self.names[last])
    }
}

/// The last bytes, where names with a common beginning differ, and the length.
fn print(name: &[u8]) -> u64 {
    let bytes = match name.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => name.iter().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
    };
    bytes ^ (name.len() as u64) << 56
}
