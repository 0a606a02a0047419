//! Digests: ids that are made of several parts or of what is stored.

use sha2::{Digest as _, Sha256};

use crate::encoding::Encoding;

/// Of the digest an id keeps so many bytes, since indexes hold ids. Whoever wants two ids that are
/// equal must try some 2⁶⁴ of them, and can do so for documents of the own tenant only.
const ID_BYTES: usize = 16;

/// The SHA-256 of some bytes.
///
/// ```
/// use loggia_plugin_sdk::{Encoding, sha256};
///
/// let digest = Encoding::Hex.encode(sha256("abc"));
/// assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// ```
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The id of what is named by several parts: 22 characters that are safe in a path, however long
/// the parts are. Equal parts have an equal id, and no others do: `["a", "bc"]` is not
/// `["ab", "c"]`.
///
/// ```
/// use loggia_plugin_sdk::digest_id;
///
/// let id = digest_id(["network", "group", "contact"]);
/// assert_eq!(id.len(), 22);
/// assert_eq!(id, digest_id(["network", "group", "contact"]));
/// assert_ne!(id, digest_id(["network", "groupcontact"]));
/// ```
#[must_use]
pub fn digest_id<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        // The length tells where a part ends.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    Encoding::Base64Url.encode(&digest.finalize()[..ID_BYTES])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::digest_id;

    #[test]
    fn other_parts_have_another_id() {
        let parts: [&[&str]; 8] =
            [&[], &[""], &["", ""], &["a"], &["a", ""], &["", "a"], &["a", "bc"], &["ab", "c"]];
        let ids: HashSet<String> = parts.iter().map(|parts| digest_id(*parts)).collect();
        assert_eq!(ids.len(), parts.len());
    }

    #[test]
    fn an_id_stays_what_it_was() {
        // Stored documents are found by it, so no later version may make another one.
        assert_eq!(digest_id(["network", "contact"]), "z5Fz76uDm04FHrT9EXe5Hw");
    }
}
