//! Cursors of keyset pages: sealed, so that only a cursor that this gateway's database has made,
//! for the same tenant, statement and arguments, is ever accepted.
//!
//! A cursor is the base64url of a message authentication code and the JSON of the last row's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::Sha256;

use super::sql::SqlValue;
use crate::manifest::FieldType;

/// 128 bits of the code are more than can be guessed.
const CODE_BYTES: usize = 16;

/// Seals and opens cursors with the database's secret.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    /// The cursor behind a row with this key. `context` names the tenant, the statement and its
    /// arguments.
    pub(super) fn seal(&self, context: &[u8], key: &[SqlValue]) -> String {
        let key = Json::Array(key.iter().map(to_json).collect()).to_string();
        let mut bytes = self.code(context, key.as_bytes()).to_vec();
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key in a cursor, or `None` when it was not sealed for this context.
    pub(super) fn open(
        &self,
        context: &[u8],
        cursor: &str,
        types: &[FieldType],
    ) -> Option<Vec<SqlValue>> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (code, key) = bytes.split_at_checked(CODE_BYTES)?;
        self.mac(context, key).verify_truncated_left(code).ok()?;
        let key: Vec<Json> = serde_json::from_slice(key).ok()?;
        let values = key.iter().zip(types).map(|(value, key_type)| from_json(value, *key_type));
        values.collect::<Option<Vec<_>>>().filter(|values| values.len() == types.len())
    }

    fn code(&self, context: &[u8], key: &[u8]) -> [u8; CODE_BYTES] {
        let full = self.mac(context, key).finalize().into_bytes();
        let mut code = [0; CODE_BYTES];
        code.copy_from_slice(&full[..CODE_BYTES]);
        code
    }

    fn mac(&self, context: &[u8], key: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        // The length keeps a context from running into the key.
        mac.update(&(context.len() as u64).to_be_bytes());
        mac.update(context);
        mac.update(key);
        mac
    }
}

/// Doubles travel by their bits: nothing is lost, and none is refused.
fn to_json(value: &SqlValue) -> Json {
    match value {
        SqlValue::Boolean(value) => Json::from(i64::from(*value)),
        SqlValue::Integer(value) => Json::from(*value),
        SqlValue::Number(value) => Json::from(value.to_bits()),
        SqlValue::Text(value) | SqlValue::Json(value) => Json::from(value.as_str()),
        SqlValue::Null | SqlValue::Texts(_) | SqlValue::Bytes(_) | SqlValue::List(_) => Json::Null,
    }
}

fn from_json(value: &Json, key_type: FieldType) -> Option<SqlValue> {
    if value.is_null() {
        return Some(SqlValue::Null);
    }
    match key_type {
        FieldType::Boolean => value.as_i64().map(|value| SqlValue::Boolean(value != 0)),
        FieldType::Integer | FieldType::Timestamp => value.as_i64().map(SqlValue::Integer),
        FieldType::Number => value.as_u64().map(|bits| SqlValue::Number(f64::from_bits(bits))),
        FieldType::Text => value.as_str().map(|text| SqlValue::Text(text.to_owned())),
        FieldType::Texts | FieldType::Json | FieldType::Words => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_for_its_own_context_only() {
        let seal = Seal::new(b"secret");
        let key = [SqlValue::Integer(-7), SqlValue::Null, SqlValue::Text("ä\"".to_owned())];
        let types = [FieldType::Timestamp, FieldType::Number, FieldType::Text];
        let cursor = seal.seal(b"tenant 1", &key);
        assert_eq!(seal.open(b"tenant 1", &cursor, &types).as_deref(), Some(&key[..]));
        assert_eq!(seal.open(b"tenant 2", &cursor, &types), None);
        assert_eq!(Seal::new(b"other").open(b"tenant 1", &cursor, &types), None);
        for place in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("base64 is ASCII");
            assert_eq!(seal.open(b"tenant 1", &altered, &types), None, "character {place}");
        }
        assert_eq!(seal.open(b"tenant 1", "", &types), None);
    }
}
