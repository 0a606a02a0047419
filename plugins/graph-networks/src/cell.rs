//! How a contact is stored: without what the id of its document and its group tell.
//!
//! Its content and its other members are texts within the document: nobody looks into them but
//! clients, and as texts they take least room and no time to read and write.

use std::borrow::Cow;
use std::fmt::Write as _;

use loggia_plugin_sdk::storage::Error;
use serde::{Deserialize, Serialize};

use crate::fault::corrupt;
use crate::key::plain_id_in;
use crate::members::quoted;
use crate::view::read;

/// The document of a contact. Its members have short names, since there are many.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Cell<'a> {
    /// The home of its group.
    #[serde(rename = "g", borrow)]
    pub(crate) home: Cow<'a, str>,
    /// Its place among the contacts of its group.
    #[serde(rename = "p", default, skip_serializing)]
    pub(crate) place: i64,
    /// Its id, where that of the document does not hold it.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    /// Which way wires of the group's parent lead through it.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub(crate) boundary: Option<Cow<'a, str>>,
    /// Whether its blend mode is `merge`.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) merges: bool,
    /// The text of its content.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Cow<'a, str>>,
    /// The text of its other members, as they stand between the braces of an object.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub(crate) others: Option<Cow<'a, str>>,
}

/// A contact with the id of its document.
#[derive(Debug, Deserialize)]
pub(crate) struct ContactRow<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) body: Cell<'a>,
}

/// A contact as clients see it.
#[derive(Debug)]
pub(crate) struct Contact {
    pub(crate) id: String,
    pub(crate) json: String,
}

impl Cell<'_> {
    /// The text of the contact of this id in a group.
    pub(crate) fn json(&self, id: &str, group: &str) -> String {
        let (content, others) = (self.content.as_deref(), self.others.as_deref());
        let length = content.map_or(0, str::len) + others.map_or(0, str::len);
        let mut json = String::with_capacity(length + id.len() + group.len() + 80);
        let _ = write!(json, "{{\"groupId\":{},\"id\":{}", quoted(group), quoted(id));
        if let Some(others) = others {
            json.push(',');
            json += others;
        }
        if let Some(content) = content {
            json += ",\"content\":";
            json += content;
        }
        json += ",\"blendMode\":\"";
        json += if self.merges { "merge" } else { "accept-last" };
        json += "\"}";
        json
    }
}

impl<'a> ContactRow<'a> {
    /// Read a document.
    pub(crate) fn of(id: &'a str, body: &'a str) -> Result<Self, Error> {
        Ok(Self { id: Cow::Borrowed(id), body: read(body)? })
    }

    /// The contact's own id.
    pub(crate) fn contact_id(&self) -> Result<&str, Error> {
        let id = plain_id_in(&self.id).or(self.body.id.as_deref());
        id.ok_or_else(|| corrupt(&"a contact has no id"))
    }

    /// The contact of a group with this id.
    pub(crate) fn contact(&self, group: &str) -> Result<Contact, Error> {
        let id = self.contact_id()?.to_owned();
        Ok(Contact { json: self.body.json(&id, group), id })
    }
}
