//! Single contacts.

pub(crate) mod batch_save;
pub(crate) mod content;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod put;
