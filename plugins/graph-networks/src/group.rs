//! Groups with their contacts and wires.

pub(crate) mod batch_save;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod put;
