//! Loggia: a storage gateway whose schemas are WebAssembly plugins.
//!
//! Four layers, each of which names nothing above it: `cli → http → plugin → storage`. The other
//! modules are read by all of them and know none.

#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod fair;
pub mod http;
pub mod json;
pub mod manifest;
pub mod metrics;
pub mod plugin;
pub mod storage;
pub mod telemetry;
pub mod tenant;
