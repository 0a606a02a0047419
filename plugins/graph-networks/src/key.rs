//! The ids of documents: clients' ids of any length, made short and put under their network.
//!
//! A network's key is 12 characters of a digest of its id. The ids of all its documents begin with it,
//! so that they lie side by side, and an id that is taken in a network is taken once. A contact or a
//! wire has its own id behind it where that is short and plain, so that it stands nowhere else in the
//! document, and otherwise `#` and 16 characters of a digest. A group has its home there: 12
//! characters of a digest of its id and the network's key, by which its contacts and wires know it.

use loggia_plugin_sdk::digest_id;

const NETWORK_CHARACTERS: usize = 12;
const HOME_CHARACTERS: usize = 12;
const PART_CHARACTERS: usize = 16;

/// Begins what stands for an id that does not stand for itself.
const DIGEST: char = '#';

/// Up to here an id stands for itself. Ids of documents stand in several indexes.
const MAX_PLAIN_BYTES: usize = 24;

/// The key of a network, which is also the id of its document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn of(network: &str) -> Self {
        Self(digest([network], NETWORK_CHARACTERS))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes behind the ids of all documents of the network: `~` is in none of them.
    pub(crate) fn end(&self) -> String {
        format!("{}~", self.0)
    }

    /// The id of the document of a contact or a wire.
    pub(crate) fn part(&self, id: &str) -> String {
        match is_plain(id) {
            true => format!("{}{id}", self.0),
            false => format!("{}{DIGEST}{}", self.0, digest([id], PART_CHARACTERS)),
        }
    }

    /// What the contacts and wires of a group know it by.
    pub(crate) fn home(&self, group: &str) -> String {
        digest([&self.0, group], HOME_CHARACTERS)
    }

    /// The id of the document of a group.
    pub(crate) fn group(&self, id: &str) -> String {
        self.group_at(&self.home(id))
    }

    /// The same by its home.
    pub(crate) fn group_at(&self, home: &str) -> String {
        format!("{}{home}", self.0)
    }
}

/// The home of a group, by the id of its document.
pub(crate) fn home_in(document: &str) -> &str {
    document.get(NETWORK_CHARACTERS..).unwrap_or_default()
}

/// The id of a contact or a wire, where that of its document holds it.
pub(crate) fn plain_id_in(document: &str) -> Option<&str> {
    document.get(NETWORK_CHARACTERS..).filter(|id| !id.starts_with(DIGEST))
}

/// Whether an id stands for itself: nothing in it is ever escaped, and `~` comes behind all of it.
fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'!'..=b'}') && !matches!(byte, b'"' | b'\\');
    (1..=MAX_PLAIN_BYTES).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with(DIGEST)
}

fn digest<const N: usize>(parts: [&str; N], characters: usize) -> String {
    let mut digest = digest_id(parts);
    digest.truncate(characters);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_of_a_network_lie_between_its_key_and_its_end() {
        let (one, other) = (Key::of("a"), Key::of("b"));
        assert_ne!(one, other);
        let long = "é".repeat(1_000);
        for document in [one.part("contact-1"), one.part("}}"), one.part(&long), one.group(&long)] {
            assert!(one.as_str() < document.as_str() && document < one.end(), "{document}");
        }
    }

    #[test]
    fn short_plain_ids_stand_for_themselves_and_others_for_no_such() {
        let key = Key::of("n");
        for id in ["c", "contact-1", "{x}", &"c".repeat(24)] {
            assert_eq!(plain_id_in(&key.part(id)), Some(id));
        }
        let others = ["", "#c", "a b", "a\"", "a\\", "a~", "é", "a\n", &"c".repeat(25)];
        let mut keys: Vec<String> = others.iter().map(|id| key.part(id)).collect();
        assert!(keys.iter().all(|key| plain_id_in(key).is_none()));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), others.len());
    }

    #[test]
    fn groups_of_one_id_in_two_networks_have_two_homes() {
        let (one, other) = (Key::of("a"), Key::of("b"));
        assert_ne!(one.home("g"), other.home("g"));
        assert_eq!(home_in(&one.group("g")), one.home("g"));
        assert_eq!(one.group_at(&one.home("g")), one.group("g"));
    }

    #[test]
    fn an_id_stays_what_it_was() {
        // Stored documents are found by it.
        let key = Key::of("network");
        assert_eq!(key.part("contact"), "wVh11ysYxVyOcontact");
        assert_eq!(key.part("a contact"), "wVh11ysYxVyO#sv6kbfAz_4LUbsP5");
        assert_eq!(key.group("group"), "wVh11ysYxVyOoFbd3kvIyl8T");
    }
}
