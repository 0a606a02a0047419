//! Networks as files: the JSON of `GET /networks/{network}`, or `GraphML`
//! (<http://graphml.graphdrawing.org>), which other tools read and write.
//!
//! In `GraphML` a contact is a node and a wire an edge. The ids of nodes and edges there are made, since
//! ids of clients may hold what XML cannot; contacts, wires and groups stand in `data` as JSON. What
//! another tool has written has none of that: its nodes become contacts of one group, with their data
//! as attributes.

pub(crate) mod export;
mod graphml;
pub(crate) mod import;

/// The media type of `GraphML`.
const GRAPHML: &str = "application/graphml+xml";
