//! What the benchmarks stand on: servers to measure, a client that costs little, and a native
//! handler to compare with.
//!
//! The question is what the gateway costs, with its plugin, above a handler that someone would
//! write by hand for the same documents. So the native handler (`native.rs`) answers the same
//! requests from the same table with the same statements and round trips, and a test
//! (`tests/same_work.rs`) reads the wire to see that it does. Both run as `server.rs` starts
//! them: each in a process of its own, with the runtime that `loggia serve` has.

#![expect(clippy::print_stdout, reason = "a served process tells its address there")]

pub mod client;
pub mod database;
pub mod document;
pub mod gateway;
pub mod load;
pub mod native;
pub mod program;
pub mod replay;
pub mod server;
