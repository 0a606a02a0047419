//! Using up what a call may use. Each writes first: nothing of it may be there afterwards.

use std::hint::{black_box, spin_loop};

use loggia_plugin_sdk::{Failure, Request, Response, log};

use crate::documents::{DOCUMENTS, leave_a_trace};

/// Compute for ever.
pub(crate) fn run_forever(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    loop {
        spin_loop();
    }
}

/// Panic, which is a trap.
pub(crate) fn trap(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    panic!("told to");
}

/// Use up the stack.
pub(crate) fn recurse(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    Ok(Response::json(200, descend(0).to_string()))
}

/// Each call holds a frame of the stack in memory, which the compiler cannot do without.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if black_box(true) { descend(depth + 1) + frame[1] } else { depth }
}

/// Take memory until it is refused, write to all of it, and panic.
pub(crate) fn grow(request: &Request) -> Result<Response, Failure> {
    const MEBIBYTE: usize = 1024 * 1024;
    leave_a_trace(request)?;
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(MEBIBYTE).is_err() {
            panic!("no more memory than {} MiB", taken.len());
        }
        block.resize(MEBIBYTE, 1);
        taken.push(black_box(block));
    }
}

/// Make storage calls.
pub(crate) fn many_calls(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    let calls = request.query_as("calls")?.unwrap_or(0_u32);
    for _ in 0..calls {
        DOCUMENTS.get_json("nothing")?;
    }
    Ok(Response::json(200, format!(r#"{{"calls":{calls}}}"#)))
}

/// Log lines of 1 KiB.
pub(crate) fn log_flood(request: &Request) -> Result<Response, Failure> {
    let lines = request.query_as("lines")?.unwrap_or(0_u32);
    let line = "x".repeat(1024);
    for _ in 0..lines {
        log::info(&line);
    }
    Ok(Response::empty(204))
}
