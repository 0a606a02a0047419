//! The ids of documents: clients' ids of any length, made short and put under their network.
//!
//! A network's key is 12 characters of a digest of its id. The documents of its groups, contacts and
//! wires have it before 16 characters of a digest of their own ids, so that all of a network's
//! documents lie side by side, and an id that is taken in a network is taken once.

use loggia_plugin_sdk::digest_id;

const NETWORK_CHARACTERS: usize = 12;
const PART_CHARACTERS: usize = 16;

/// The key of a network, which is also the id of its document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn of(network: &str) -> Self {
        Self(digest(network, NETWORK_CHARACTERS))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the document of a part: a group, a contact or a wire.
    pub(crate) fn part(&self, id: &str) -> String {
        format!("{}{}", self.0, part(id))
    }
}

/// What stands for a part's id within its network.
pub(crate) fn part(id: &str) -> String {
    digest(id, PART_CHARACTERS)
}

/// The digest behind the network's key in a document's id.
pub(crate) fn digest_in(document: &str) -> &str {
    document.get(NETWORK_CHARACTERS..).unwrap_or_default()
}

fn digest(id: &str, characters: usize) -> String {
    let mut digest = digest_id([id]);
    digest.truncate(characters);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_of_a_network_begin_with_its_key() {
        let (one, other) = (Key::of("a"), Key::of("b"));
        assert_ne!(one, other);
        let document = one.part(&"é".repeat(1_000));
        assert!(document.starts_with(one.as_str()));
        assert_eq!(document.len(), NETWORK_CHARACTERS + PART_CHARACTERS);
        assert_eq!(digest_in(&document), part(&"é".repeat(1_000)));
        assert_ne!(digest_in(&document), part("é"));
    }

    #[test]
    fn an_id_stays_what_it_was() {
        // Stored documents are found by it.
        assert_eq!(Key::of("network").part("contact"), "wVh11ysYxVyOzp6MeTZQVkAtDdrC");
    }
}
